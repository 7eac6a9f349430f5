"""Training–serving skew: how far served requests are from the examples that were trained on."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from feature_spec import names
from feature_spec.names import artifacts_place
from feature_spec.spec import FeatureSpec
from pipeline.validate.distribution_shift import FieldShift, field_shifts
from pipeline.validate.served_requests import ServedRequests
from pipeline.workspace.artifact_files import matching_files


class SkewError(ValueError):
    """There is nothing to compare."""


@dataclass(frozen=True, kw_only=True)
class SkewResult:
    """What was found.

    Attributes:
        requests: ranking requests that were compared.
        left_out: records of the logs that were not, by reason.
        statistics: file of the training statistics.
        fields: those with a threshold.
    """

    requests: int
    left_out: dict[str, int]
    statistics: str
    fields: list[FieldShift]

    @property
    def is_beyond(self) -> bool:
        """Whether any field is beyond its threshold."""
        return any(shift.is_beyond for shift in self.fields)


def training_statistics(root: Path) -> str:
    """The file of TFDV's statistics of the train split of the newest run on a pipeline root.

    Raises:
        SkewError: there are none.
    """
    artifacts, pattern = (
        artifacts_place(root),
        f"StatisticsGen/statistics/*/Split-{names.TRAIN}/FeatureStats.pb",
    )
    found = {file.split("/")[-3]: file for file in matching_files(artifacts, pattern)}
    executions = [int(execution) for execution in found if execution.isdecimal()]
    if not executions:
        raise SkewError(
            f"{root} is no pipeline root with training statistics: there is no {artifacts}/{pattern}"
        )
    return found[str(max(executions))]


def skew(
    spec: FeatureSpec, root: Path, files: Sequence[str], beam_arguments: Sequence[str]
) -> SkewResult:
    """Compares each field that has a threshold.

    Args:
        spec: with `skew.thresholds`.
        root: a pipeline root.
        files: request logs.
        beam_arguments: Beam pipeline options.

    Raises:
        SkewError: the spec has no thresholds, or the root no statistics.
        pipeline.validate.served_requests.RequestLogError: the files hold no requests.
    """
    if not spec.skew.thresholds:
        raise SkewError(f"spec {spec.name} has no skew.thresholds; see docs/feature_spec.md")
    statistics = training_statistics(root)
    import apache_beam as beam
    import tfx  # noqa: F401  (before TFDV, which on Python 3.11 needs TFX's stand-in)
    from apache_beam.options.pipeline_options import PipelineOptions

    import tensorflow_data_validation as tfdv  # isort: skip

    requests = ServedRequests(spec, files)
    batches = list(requests.batches())
    with tempfile.TemporaryDirectory() as folder:
        served = str(Path(folder) / "served.pb")
        with beam.Pipeline(options=PipelineOptions(list(beam_arguments))) as pipeline:
            _ = (
                pipeline
                | "Requests" >> beam.Create(batches, reshuffle=False)
                | "Statistics" >> tfdv.GenerateStatistics(tfdv.StatsOptions())
                | "Write" >> tfdv.WriteStatisticsToBinaryFile(served)
            )
        before, now = tfdv.load_stats_binary(statistics), tfdv.load_stats_binary(served)
    return SkewResult(
        requests=requests.used,
        left_out=dict(requests.left_out),
        statistics=statistics,
        fields=field_shifts(spec.skew.thresholds, before, now),
    )
