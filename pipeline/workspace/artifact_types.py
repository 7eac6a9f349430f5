"""Artifact types that TFX does not have.

Kubeflow Pipelines accepts only names of the form ``package.Type``, finds the class by that name
(see `pipeline.__getattr__`), and refuses declared properties.
"""

from __future__ import annotations

from tfx import types


class DriftReport(types.Artifact):
    """A folder with a `pipeline.validate.distribution_shift.DriftResult` as JSON."""

    TYPE_NAME = "pipeline.DriftReport"


class Insight(types.Artifact):
    """A folder with the inspection of a model as JSON."""

    TYPE_NAME = "pipeline.Insight"


class Report(types.Artifact):
    """A folder with one HTML file."""

    TYPE_NAME = "pipeline.Report"
