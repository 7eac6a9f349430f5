"""The picture of records by day shows where the records of each day went."""

from __future__ import annotations

from pipeline.report.sections.ingestion import _days
from tests.pipeline.report.conftest import INGESTION


def test_thin_days_have_the_colour_of_the_split_that_their_records_went_to() -> None:
    # The log ends on the 9th; the 6th, the 8th and the 10th have a handful of records.
    records = {"05": 600, "06": 2, "07": 385, "08": 1, "09": 400, "10": 3}
    counts = INGESTION.model_validate(
        INGESTION.model_dump()
        | {
            "records_of_day": {f"2026-01-{day}": count for day, count in records.items()},
            "evaluation_days": ["2026-01-07", "2026-01-09"],
        }
    )
    shown = {bar.name: [day[-2:] for day in bar.x] for bar in _days(counts).figure.data}
    assert shown == {
        "train and validation": ["05", "06"],
        "evaluation": ["07", "08", "09"],
        "rejected: later than the last day": ["10"],
    }


def test_without_thin_days_there_are_two_colours() -> None:
    shown = {bar.name: list(bar.x) for bar in _days(INGESTION).figure.data}
    assert shown == {"train and validation": ["2026-01-05"], "evaluation": ["2026-01-06"]}
