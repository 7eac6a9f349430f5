"""Types of artifacts that TFX does not have.

Kubeflow Pipelines takes names of the form ``package.Type`` only, finds the class by that name (see
`pipeline.__getattr__`), and refuses declared properties.
"""

from __future__ import annotations

from tfx import types


class DriftReport(types.Artifact):
    """Holds `pipeline.validate.distribution_shift.DriftResult` as JSON."""

    TYPE_NAME = "pipeline.DriftReport"


class Insight(types.Artifact):
    """A folder with what was found in a model, as JSON."""

    TYPE_NAME = "pipeline.Insight"


class Report(types.Artifact):
    """A folder with one HTML file."""

    TYPE_NAME = "pipeline.Report"
