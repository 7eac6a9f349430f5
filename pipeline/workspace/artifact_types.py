"""Artifact types that TFX does not have, and properties of those that it has.

Kubeflow Pipelines accepts only names of the form ``package.Type``, finds the class by that name
(see `pipeline.__getattr__`), and refuses declared properties.
"""

from __future__ import annotations

from tfx import types

# The input of an ingestion with the examples of the day before, and custom properties of examples
# with a state of histories: the day, as `datetime.date.toordinal` counts, and the spec's digest.
EARLIER = "earlier"
HISTORIES_OF_DAY, HISTORY_DIGEST = "histories_of_day", "history_digest"


class DriftReport(types.Artifact):
    """A folder with a `pipeline.validate.distribution_shift.DriftResult` as JSON."""

    TYPE_NAME = "pipeline.DriftReport"


class Insight(types.Artifact):
    """A folder with the inspection of a model as JSON."""

    TYPE_NAME = "pipeline.Insight"


class Report(types.Artifact):
    """A folder with one HTML file."""

    TYPE_NAME = "pipeline.Report"
