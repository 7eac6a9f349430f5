"""Keys with too many rows for memory: ranges of times give what all rows at once give."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.ingest.settings.ingest_config import IngestSettings
from tests.pipeline.ingest.histories.known import Row, computed, labelled, row, side_tables, spec
from tests.pipeline.ingest.histories.test_point_in_time import ARRIVAL, WAYS, logs
from tests.pipeline.ingest.histories.test_state import ingested_log
from tests.pipeline.ingest.ingested import Ingested

pytestmark = [pytest.mark.slow, pytest.mark.tensorflow]


@pytest.fixture
def _each_row_is_sampled(monkeypatch: pytest.MonkeyPatch) -> None:
    from pipeline.ingest.histories import time_ranges

    monkeypatch.setattr(time_ranges, "_SAMPLED", 1)


@pytest.mark.usefixtures("_each_row_is_sampled")
@pytest.mark.parametrize("way", WAYS, ids=str)
@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(rows=logs(), ranges=st.integers(1, 6))
def test_ranges_of_times_give_the_features_of_all_rows_at_once(
    way: dict[str, Any], rows: list[Row], ranges: int
) -> None:
    of = IngestSettings.from_spec(spec(**way))
    assert computed(rows, of, ranges=ranges) == computed(rows, of)


@pytest.mark.usefixtures("_each_row_is_sampled")
def test_ranges_of_times_leave_the_state_of_all_rows_at_once() -> None:
    from pipeline.ingest.histories.history_rows import HistoryRows
    from pipeline.ingest.histories.state import compact_counts, compact_sequence
    from pipeline.ingest.histories.time_ranges import CountInRanges, SequenceInRanges

    of = IngestSettings.from_spec(spec(arrival_time=ARRIVAL))
    assert of.histories is not None
    chance = random.Random(2)
    rows = [
        row(number, chance.randrange(3), chance.randrange(3), chance.randrange(50), 1)
        for number in range(60)
    ]
    for one in rows:
        one["arrived_s"] += chance.choice([0, 7])
    made = HistoryRows(of, side_tables())(labelled(rows, of), np.arange(60), 0)
    horizon_us = 40_000_000
    for name, table in made:
        parts = [table.slice(0, 30), table.slice(30)]
        if name in of.histories.counts:
            count = of.histories.counts[name]
            in_ranges: Any = CountInRanges(name, count, horizon_us, of)
            wanted = compact_counts(table, count, horizon_us, of)
        else:
            sequence = of.histories.sequences[name]
            in_ranges = SequenceInRanges(name, sequence, horizon_us)
            wanted = compact_sequence(table, sequence, horizon_us)
        assert sum(1 for _ in in_ranges.features(lambda parts=parts: iter(parts), 5)) >= 5
        assert in_ranges.state.to_pylist() == wanted.to_pylist()


def test_a_range_holds_about_as_many_rows_as_another() -> None:
    from pipeline.ingest.histories.time_ranges import _boundaries

    times = pa.table({"time_us": np.arange(1600)})
    # Every 16th is sampled: of 100, those at 25, 50 and 75.
    assert _boundaries(iter([times]), "time_us", 4).tolist() == [400, 800, 1200]


def test_ingestion_in_ranges_of_times_writes_the_same_examples(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pipeline.ingest.histories import history_steps

    folder = ingested_log(tmp_path)
    of = IngestSettings.from_spec(spec())
    at_once = Ingested(of, folder, tmp_path / "at_once").features()
    monkeypatch.setattr(history_steps, "LARGEST_PARTITION_BYTES", 4000)
    in_ranges = Ingested(of, folder, tmp_path / "in_ranges").features()
    assert in_ranges == at_once
    assert len(at_once) == 600
