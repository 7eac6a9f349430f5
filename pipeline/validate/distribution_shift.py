"""Distances between the distributions of fields in two sets of examples.

TensorFlow Data Validation measures them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import TypeAdapter
from rich.table import Table

from feature_spec.sections import DistributionThreshold, Measure
from pipeline.workspace.artifact_files import read_bytes, write_bytes

if TYPE_CHECKING:
    from tensorflow_metadata.proto.v0 import statistics_pb2


@dataclass(frozen=True, kw_only=True)
class FieldShift:
    """The distance of one field between two sets of examples.

    Attributes:
        field: the name of the field.
        measure: the measure of the distance.
        distance: the distance; None where one of the sets has no value of the field.
        threshold: the largest distance that is allowed.
        is_beyond: whether the distance is larger than the threshold or cannot be measured.
    """

    field: str
    measure: Measure
    distance: float | None
    threshold: float
    is_beyond: bool


def field_shifts(
    thresholds: Mapping[str, DistributionThreshold],
    before: statistics_pb2.DatasetFeatureStatisticsList,
    now: statistics_pb2.DatasetFeatureStatisticsList,
) -> list[FieldShift]:
    """Return the distance of each field that has a threshold, in the order of the thresholds.

    TFX must have been imported before.

    Args:
        thresholds: thresholds by field.
        before: statistics of the earlier examples.
        now: statistics of the present examples.
    """
    import tensorflow_data_validation as tfdv

    # Comparators belong to features of a schema, whose types must be those of the statistics.
    schema = tfdv.infer_schema(before)
    for feature in schema.feature:
        if feature.name in thresholds:
            threshold, comparator = thresholds[feature.name], feature.drift_comparator
            if threshold.measure == "l_infinity":
                comparator.infinity_norm.threshold = threshold.limit
            else:
                comparator.jensen_shannon_divergence.threshold = threshold.limit
    compared = tfdv.validate_statistics(now, schema, previous_statistics=before)
    distances = {
        info.path.step[0]: info.drift_measurements[0].value for info in compared.drift_skew_info
    }
    return [_shift(name, threshold, distances.get(name)) for name, threshold in thresholds.items()]


def shifts_table(title: str, shifts: list[FieldShift]) -> Table:
    """Return a table with a row for each field."""
    table = Table("field", "measure", title=title)
    table.add_column("distance", justify="right")
    table.add_column("threshold", justify="right")
    table.add_column("verdict")
    for shift in shifts:
        distance = "–" if shift.distance is None else f"{shift.distance:.4f}"
        verdict = (
            "no values to compare"
            if shift.distance is None
            else "beyond"
            if shift.is_beyond
            else "within"
        )
        table.add_row(shift.field, shift.measure, distance, f"{shift.threshold:g}", verdict)
    return table


def _shift(name: str, threshold: DistributionThreshold, distance: float | None) -> FieldShift:
    return FieldShift(
        field=name,
        measure=threshold.measure,
        distance=distance,
        threshold=threshold.limit,
        is_beyond=distance is None or distance > threshold.limit,
    )


_FILE = "drift.json"


@dataclass(frozen=True, kw_only=True)
class DriftResult:
    """The drift of examples since an earlier run.

    Attributes:
        is_compared: whether there was an earlier run to compare with.
        fields: the fields with a threshold; empty if nothing was compared.
    """

    is_compared: bool
    fields: list[FieldShift]

    @property
    def beyond(self) -> list[FieldShift]:
        """The fields beyond their thresholds."""
        return [shift for shift in self.fields if shift.is_beyond]


class DriftFoundError(ValueError):
    """Examples have drifted.

    The message names the fields beyond their thresholds; notes (`__notes__`) hold the distances.
    """

    def __init__(self, drift: DriftResult) -> None:
        names = ", ".join(shift.field for shift in drift.beyond)
        super().__init__(
            f"the examples have drifted since the last run that pushed a model, in {names}"
        )
        for shift in drift.beyond:
            found = (
                "no values to compare"
                if shift.distance is None
                else f"{shift.measure} {shift.distance:.4f}"
            )
            self.add_note(f"{shift.field}: {found}, threshold {shift.threshold:g}")


def write_drift(drift: DriftResult, folder: str) -> None:
    """Write a result into a folder."""
    write_bytes(f"{folder}/{_FILE}", _JSON.dump_json(drift, indent=1))


def read_drift(folder: str) -> DriftResult:
    """Read the result that `write_drift` wrote."""
    return _JSON.validate_json(read_bytes(f"{folder}/{_FILE}"))


_JSON = TypeAdapter(DriftResult)
