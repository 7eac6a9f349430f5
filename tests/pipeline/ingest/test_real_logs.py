"""The ready specs on the real logs they were written for."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from feature_spec.loading import load_spec
from pipeline.ingest.examples.split_assignment import SplitAssignment
from pipeline.ingest.labelling.labelled_rows import RowLabeller
from pipeline.ingest.labelling.log_tables import label_file, read_side_table
from pipeline.ingest.log_check import check_logs
from pipeline.ingest.settings.ingest_config import IngestSettings
from pipeline.ingest.settings.log_days import EventDays

pytestmark = pytest.mark.slow

SHARED = Path(os.environ.get("FULCRUM_SHARED", Path(__file__).parents[4] / "shared"))


def _ingested(spec: str, folder: str):
    """All lines of the log after the assignment, without Beam."""
    logs = SHARED / "data" / folder
    if not logs.is_dir():
        pytest.skip(f"needs the real logs in {folder}; FULCRUM_SHARED names the folder above data/")
    settings = IngestSettings.from_spec(load_spec(spec))
    files = check_logs(settings, str(logs))
    labeller = RowLabeller(settings)
    batches = [
        batch
        for number, file in enumerate(files.sources[None])
        for batch in label_file(file, number, settings, labeller)
    ]
    rows = pa.concat_tables(batch.rows for batch in batches)
    days = None
    if settings.split.evaluation_days:
        days = EventDays.of(Counter(rows.column("day").to_pylist()), settings.split.evaluation_days)
    assigned = SplitAssignment(
        settings, [file.name for file in files.sources[None]], files.evaluation, days
    )(rows)
    return settings, files, [entry for batch in batches for entry in batch.rejected], assigned


def test_census_income_has_199523_people_to_train_and_99762_to_judge_and_none_is_rejected() -> None:
    _, _, rejected, assigned = _ingested("census_income", "census_income")
    assert rejected == []
    assert assigned.rejected == []
    train, validation, evaluation = (
        assigned.splits[split].num_rows for split in ("train", "validation", "evaluation")
    )
    assert train == 199_523
    assert validation + evaluation == 99_762
    # Half of 99,762, with a standard deviation of 158 but for people alike in every column, who
    # share a split.
    assert abs(validation - 49_881) < 1000
    people = pa.concat_tables(assigned.splits.values())
    assert pc.mean(people.column("label.income")).as_py() == pytest.approx(0.062, abs=0.001)
    assert pc.mean(people.column("label.never_married")).as_py() == pytest.approx(0.433, abs=0.001)


def test_kuairand_loses_its_exact_duplicates_and_nothing_else() -> None:
    settings, files, rejected, assigned = _ingested("kuairand", "kuairand_pure")
    assert rejected == []
    examples = pa.concat_tables(assigned.splits.values())
    assert examples.num_rows + len(assigned.rejected) == 198_895
    assert {entry.reason for entry in assigned.rejected} == {"duplicate"}
    assert len(assigned.rejected) / 198_895 == pytest.approx(0.024, abs=0.002)
    assert 0.12 < assigned.splits["evaluation"].num_rows / examples.num_rows < 0.15
    assert pc.mean(examples.column("label.click")).as_py() == pytest.approx(0.44, abs=0.01)
    # The duration is 0 in 1.6 % of the rows, which lie outside the sample space of the ratio.
    assert examples.column("label.watch_ratio").null_count / examples.num_rows == pytest.approx(
        0.016, abs=0.002
    )
    for name, lines in (("users", 27_285), ("videos", 7_583)):
        rows, unusable, _ = read_side_table(name, files.sources[name], settings)
        assert (rows.num_rows, unusable) == (lines, [])
