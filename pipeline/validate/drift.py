"""Drift: how far the examples to train on are from those of the last run that pushed a model; and its form as JSON."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import TypeAdapter

from pipeline.validate.distribution_shift import FieldShift
from pipeline.workspace.artifact_files import read_bytes, write_bytes

_FILE = "drift.json"


@dataclass(frozen=True, kw_only=True)
class DriftResult:
    """What was found.

    Attributes:
        is_compared: whether there was an earlier run to compare with.
        fields: those with a threshold; empty if nothing was compared.
    """

    is_compared: bool
    fields: list[FieldShift]

    @property
    def beyond(self) -> list[FieldShift]:
        """The fields beyond their thresholds."""
        return [shift for shift in self.fields if shift.is_beyond]


class DriftFoundError(ValueError):
    """Names the fields beyond their thresholds, each with its distance in a note (`__notes__`)."""

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
    """Writes it into a folder."""
    write_bytes(f"{folder}/{_FILE}", _JSON.dump_json(drift, indent=1))


def read_drift(folder: str) -> DriftResult:
    """What `write_drift` wrote."""
    return _JSON.validate_json(read_bytes(f"{folder}/{_FILE}"))


_JSON = TypeAdapter(DriftResult)
