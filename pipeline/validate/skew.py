"""Training–serving skew: the distance of served requests from the examples of the train split."""

from __future__ import annotations

import collections
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from rich.table import Table

from feature_spec import names
from feature_spec.artifacts.newest_outputs import of_newest_execution
from feature_spec.fields.field import BaseField, NumericField, VectorField
from feature_spec.names import artifacts_place
from feature_spec.spec import FeatureSpec
from pipeline.validate.distribution_shift import FieldShift, field_shifts
from pipeline.workspace.artifact_files import matching_files

if TYPE_CHECKING:
    from tensorflow_metadata.proto.v0.statistics_pb2 import DatasetFeatureStatisticsList
    from tensorflow_serving.apis.predict_pb2 import PredictRequest

_ROWS_OF_A_BATCH = 10_000


class RequestLogError(ValueError):
    """A file is not a request log, or holds no request of a spec."""


class ServedRequests:
    """Reads request logs as examples.

    A request log is a TFRecord file of PredictionLog, as `serving.client.request_log` and
    TensorFlow Serving write it.

    Args:
        spec: the feature spec of the requests.
        files: uncompressed request logs.

    Attributes:
        used: the number of ranking requests read so far.
        left_out: the number of other records, by reason.
        rows: the requests, or candidates, that have a place for each field.
        missing: those of them without the field.
    """

    def __init__(self, spec: FeatureSpec, files: Sequence[str]) -> None:
        self._spec, self._files = spec.served, files
        self.used = 0
        self.left_out: collections.Counter[str] = collections.Counter()
        self.rows: collections.Counter[str] = collections.Counter()
        self.missing: collections.Counter[str] = collections.Counter()

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yield columns of lists by field, as TFDV reads examples.

        A value is as it was sent, and null where it was missing. User and context fields have a row
        for each request, and item fields a row for each candidate, with nulls in the other columns,
        so that every value counts as often as it was sent.

        Raises:
            RequestLogError: a file is not a request log, or no file has a request.
        """
        columns: dict[str, list[Any]] = {name: [] for name in self._spec.fields}
        rows = 0
        for request in self._requests():
            for sides in (("user", "context"), ("item",)):
                fields = self._spec.fields_of(*sides)
                values = {
                    name: _values(request, name, field)
                    for name, field in fields.items()
                    if name in request.inputs
                }
                count = max((len(of_field) for of_field in values.values()), default=0)
                for name in fields:
                    self.rows[name] += count
                    self.missing[name] += (values.get(name) or [None] * count).count(None)
                for name, column in columns.items():
                    column.extend(values.get(name) or [None] * count)
                rows += count
            if rows >= _ROWS_OF_A_BATCH:
                yield self._batch(columns)
                columns, rows = {name: [] for name in self._spec.fields}, 0
        if rows:
            yield self._batch(columns)
        if not self.used:
            reasons = "".join(f"; {count:,} {reason}" for reason, count in self.left_out.items())
            raise RequestLogError(
                f"no ranking request of spec {self._spec.name!r} in "
                f"{', '.join(self._files)}{reasons}"
            )

    def _requests(self) -> Iterator[PredictRequest]:
        import tensorflow as tf
        from google.protobuf.message import DecodeError
        from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog

        for file in self._files:
            try:
                for record in tf.data.TFRecordDataset(file).as_numpy_iterator():
                    request = PredictionLog.FromString(record).predict_log.request
                    if reason := self._reason_against(request):
                        self.left_out[reason] += 1
                        continue
                    self.used += 1
                    yield request
            except (tf.errors.OpError, DecodeError) as error:
                raise RequestLogError(
                    f"{file} is no TFRecord file of PredictionLog: {error}"
                ) from error

    def _reason_against(self, request: PredictRequest) -> str:
        if request.model_spec.signature_name not in (names.RANK, names.RANK_TOP_K):
            return "of another signature than rank and rank_top_k"
        own = (self._spec.fingerprint.encode(), self._spec.earlier_fingerprint.encode())
        received = request.inputs[names.SPEC_FINGERPRINT].string_val
        if len(received) != 1 or received[0] not in own:
            return "for another fingerprint of the spec"
        return ""

    def _batch(self, columns: dict[str, list[Any]]) -> pa.RecordBatch:
        arrays = [
            pa.array(
                values,
                pa.large_list(
                    pa.float32()
                    if isinstance(field, NumericField | VectorField)
                    else pa.large_binary()
                ),
            )
            for field, values in zip(self._spec.fields.values(), columns.values(), strict=True)
        ]
        return pa.RecordBatch.from_arrays(arrays, names=list(columns))


def _values(request: PredictRequest, name: str, field: BaseField) -> list[list[Any] | None]:
    """Return a field's values by row; None where missing, which is sent as NaN or ""."""
    import tensorflow as tf

    values = tf.make_ndarray(request.inputs[name])
    # Lists of a history are aligned, and examples keep the empty text of a missing value, too.
    is_aligned = field.history is not None and not isinstance(field, NumericField)
    return [_present(np.atleast_1d(row), is_aligned) for row in values]


def _present(row: Any, is_aligned: bool) -> list[Any] | None:
    if is_aligned:
        return list(row) if any(row) else None
    kept = row[~np.isnan(row)] if row.dtype.kind == "f" else [text for text in row if text]
    return list(kept) or None


class SkewError(ValueError):
    """There is nothing to compare."""


@dataclass(frozen=True, kw_only=True)
class MissingShares:
    """The shares of missing values of a field.

    Attributes:
        field: the name of the field.
        training: the share of the training examples without the field.
        served: the share of the requests, or of the candidates of an item field, without it.
        limit: the largest difference that is allowed; None for any.
    """

    field: str
    training: float
    served: float
    limit: float | None

    @property
    def is_beyond(self) -> bool:
        """True if the shares differ by more than the limit."""
        return self.limit is not None and abs(self.served - self.training) > self.limit


@dataclass(frozen=True, kw_only=True)
class SkewResult:
    """The skew of served requests.

    Attributes:
        requests: the number of ranking requests that were compared.
        left_out: the number of other records of the logs, by reason.
        statistics: the file of the training statistics.
        fields: the fields with a threshold.
        missing: the shares of missing values of every field.
    """

    requests: int
    left_out: dict[str, int]
    statistics: str
    fields: list[FieldShift]
    missing: list[MissingShares]

    @property
    def is_beyond(self) -> bool:
        """True if any field is beyond its threshold or the limit of missing values."""
        return any(one.is_beyond for one in self.fields) or any(
            one.is_beyond for one in self.missing
        )


def missing_table(shares: Sequence[MissingShares]) -> Table:
    """Return a table with a row for each field, those that differ most first."""
    table = Table("field", title="Share of missing values")
    for heading in ("training", "served"):
        table.add_column(heading, justify="right")
    table.add_column("verdict")
    for one in sorted(shares, key=lambda one: -abs(one.served - one.training)):
        verdict = "beyond" if one.is_beyond else "–" if one.limit is None else "within"
        table.add_row(one.field, f"{one.training:.1%}", f"{one.served:.1%}", verdict)
    return table


def training_statistics(root: Path) -> str:
    """Return the file of TFDV's train statistics of the newest run on a pipeline root.

    Raises:
        SkewError: the root has no statistics.
    """
    artifacts, pattern = (
        artifacts_place(root),
        f"StatisticsGen/statistics/*/Split-{names.TRAIN}/FeatureStats.pb",
    )
    found = of_newest_execution(matching_files(artifacts, pattern))
    if not found:
        raise SkewError(
            f"{root} is no pipeline root with training statistics: there is no "
            f"{artifacts}/{pattern}"
        )
    return found[0]


def skew(
    spec: FeatureSpec, root: Path, files: Sequence[str], beam_arguments: Sequence[str]
) -> SkewResult:
    """Compare each field that has a threshold.

    Args:
        spec: the feature spec with `skew.thresholds`.
        root: a pipeline root.
        files: request logs.
        beam_arguments: Beam pipeline options.

    Raises:
        SkewError: the spec has no thresholds, or the root no statistics.
        RequestLogError: the files hold no requests.
    """
    if not spec.skew.thresholds and spec.skew.missing is None:
        raise SkewError(
            f"spec {spec.name} has no skew.thresholds and no skew.missing; see docs/feature_spec.md"
        )
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
        missing=_missing_shares(spec, requests, before),
    )


def _missing_shares(
    spec: FeatureSpec, requests: ServedRequests, before: DatasetFeatureStatisticsList
) -> list[MissingShares]:
    [examples] = before.datasets
    without = {
        feature.path.step[0]: _counts_of(feature).num_missing / examples.num_examples
        for feature in examples.features
        if examples.num_examples
    }
    return [
        MissingShares(
            field=name,
            training=without.get(name, 1.0),
            served=requests.missing[name] / requests.rows[name] if requests.rows[name] else 1.0,
            limit=spec.skew.missing,
        )
        for name in spec.served.fields
    ]


def _counts_of(feature: Any) -> Any:
    statistics = getattr(feature, feature.WhichOneof("stats"))
    return statistics.common_stats
