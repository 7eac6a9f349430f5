"""The ready specs on the real logs they were written for."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from feature_spec.loading import load_spec
from pipeline.ingest.event_days import EventDays
from pipeline.ingest.exposure_file import label_file
from pipeline.ingest.labelled_record import LabelledRecord, RecordLabeller
from pipeline.ingest.log_check import check_logs
from pipeline.ingest.rejection import RejectedLine
from pipeline.ingest.settings import IngestSettings
from pipeline.ingest.settling import Settling
from pipeline.ingest.side_table import read_side_table

pytestmark = pytest.mark.slow

SHARED = Path(os.environ.get("FULCRUM_SHARED", Path(__file__).parents[4] / "shared"))


def _ingested(spec: str, folder: str):
    """All lines of the log after settling, without Beam."""
    logs = SHARED / "data" / folder
    if not logs.is_dir():
        pytest.skip(f"needs the real logs in {folder}; FULCRUM_SHARED names the folder above data/")
    settings = IngestSettings.from_spec(load_spec(spec))
    files = check_logs(settings, str(logs))
    labeller = RecordLabeller(settings)
    entries = [
        entry for number, file in enumerate(files.sources[None]) for entry in label_file(file, number, settings, labeller)
    ]
    records = [entry for entry in entries if isinstance(entry, LabelledRecord)]
    days = None
    if settings.split.evaluation_days:
        of_day: dict[int, int] = {}
        for record in records:
            of_day[record.day] = of_day.get(record.day, 0) + 1
        days = EventDays.of(of_day, settings.split.evaluation_days)
    settled = list(Settling(settings, files.sources[None], files.evaluation, days).settle(records))
    return settings, files, [entry for entry in entries if isinstance(entry, RejectedLine)], settled


def test_census_income_has_199523_people_to_train_and_99762_to_judge_and_none_is_rejected() -> None:
    settings, _, rejected, settled = _ingested("census_income", "census_income")
    assert rejected == []
    splits = [split for split, _ in settled]
    assert splits.count("train") == 199_523
    assert splits.count("validation") + splits.count("evaluation") == 99_762
    # Half of 99,762, with a standard deviation of 158 but for people alike in every column, who share a split.
    assert abs(splits.count("validation") - 49_881) < 1000
    income, married = (sum(record.labels[task] for _, record in settled) / len(settled) for task in range(2))
    assert list(settings.tasks) == ["income", "never_married"]
    assert income == pytest.approx(0.062, abs=0.001)
    assert married == pytest.approx(0.433, abs=0.001)


def test_kuairand_loses_its_exact_duplicates_and_nothing_else() -> None:
    settings, files, rejected, settled = _ingested("kuairand", "kuairand_pure")
    assert rejected == []
    assert len(settled) == 198_895
    duplicates = [entry for entry in settled if isinstance(entry, RejectedLine)]
    assert {entry.reason for entry in duplicates} == {"duplicate"}
    assert len(duplicates) / len(settled) == pytest.approx(0.024, abs=0.002)
    examples = [entry for entry in settled if not isinstance(entry, RejectedLine)]
    evaluation = [record for split, record in examples if split == "evaluation"]
    assert 0.12 < len(evaluation) / len(examples) < 0.15
    click = list(settings.tasks).index("click")
    assert sum(record.labels[click] for _, record in examples) / len(examples) == pytest.approx(0.44, abs=0.01)
    watch = list(settings.tasks).index("watch_ratio")
    # The duration is 0 in 1.6 % of the rows, which lie outside the sample space of the ratio.
    outside = sum(record.labels[watch] is None for _, record in examples)
    assert outside / len(examples) == pytest.approx(0.016, abs=0.002)
    for name, lines in (("users", 27_285), ("videos", 7_583)):
        rows, unusable, _ = read_side_table(name, files.sources[name], settings)
        assert (len(rows), unusable) == (lines, [])
