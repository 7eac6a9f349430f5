"""The state that ingestion leaves: a day that starts from it sees what one ingestion of all sees."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings

from feature_spec.artifacts.history_state import BEFORE_ALL
from pipeline.ingest.settings.ingest_config import IngestSettings
from tests.pipeline.ingest.histories.known import (
    CITIES,
    DAY_S,
    Row,
    computed,
    labelled,
    row,
    side_tables,
    spec,
)
from tests.pipeline.ingest.histories.test_point_in_time import ARRIVAL, WAYS, logs

pytestmark = [pytest.mark.slow, pytest.mark.tensorflow]


def state_of(
    rows: list[Row], of: IngestSettings, earlier: dict[str, list[pa.Table]] | None = None
) -> dict[str, list[pa.Table]]:
    """The compact state after rows, and an earlier state if given."""
    import numpy as np

    from feature_spec.histories.history_values import cutoff_us
    from pipeline.ingest.histories.history_rows import HistoryRows
    from pipeline.ingest.histories.state import (
        as_history_rows,
        compact_counts,
        compact_sequence,
    )

    assert of.histories is not None
    tables = {
        name: [table, *map(as_history_rows, (earlier or {}).get(name, []))]
        for name, table in HistoryRows(of, side_tables())(
            labelled(rows, of), np.arange(len(rows)), 0
        )
    }
    latest = np.array([max((one["time_s"] for one in rows), default=0) * 1_000_000])
    horizon = int(cutoff_us(of.histories, latest, of.timezone)[0]) if rows else BEFORE_ALL
    state = {}
    for name, parts in tables.items():
        together = pa.concat_tables(parts, promote_options="default").combine_chunks()
        if name in of.histories.counts:
            count = of.histories.counts[name]
            state[name] = [compact_counts(together, count, horizon, of)]
        else:
            state[name] = [compact_sequence(together, of.histories.sequences[name], horizon)]
    return state


@pytest.mark.parametrize("way", WAYS, ids=str)
@settings(max_examples=30, deadline=None)
@given(rows=logs())
def test_what_goes_on_from_a_state_sees_what_all_rows_show(way, rows: list[Row]) -> None:
    of = IngestSettings.from_spec(spec(**way))
    # Each day goes on from the days before; two days' rows may tie at midnight.
    days = sorted({one["time_s"] // DAY_S for one in rows})
    state: dict[str, list[pa.Table]] = {}
    found = {}
    for day in days:
        of_day = [one for one in rows if one["time_s"] // DAY_S == day]
        for one, features in zip(of_day, computed(of_day, of, state=state), strict=True):
            found[one["number"]] = features
        state = state_of(of_day, of, state)
    assert [found[one["number"]] for one in rows] == computed(rows, of)


def test_a_count_without_windows_has_one_row_a_key_of_all_before_the_horizon() -> None:
    of = IngestSettings.from_spec(spec())
    # The cutoff of the last exposure, at 100 s, is 97 s.
    rows = [row(number, 0, 1, time_s, 1) for number, time_s in enumerate([5, 50, 96, 97, 100])]
    (state,) = state_of(rows, of)["user"]
    assert state.column("time_us").to_pylist() == [BEFORE_ALL, 97_000_000, 100_000_000]
    assert state.column("shown").to_pylist() == [3, 1, 1]


def test_a_count_drops_what_no_window_reaches_and_joins_what_lies_in_one_step() -> None:
    of = IngestSettings.from_spec(
        spec(counts={"item": {"by": ["item"], "windows_s": [600, 1200]}}, sequences={})
    )
    # The cutoff of the last exposure is 5000 s, and the begin of its longest window, in steps of
    # 16 s, 3792 s. Steps of the shortest are 8 s.
    times = [3791, 3792, 3799, 3800, 5001, 5003]
    (state,) = state_of([row(number, 0, 1, time_s) for number, time_s in enumerate(times)], of)[
        "item"
    ]
    seconds = [time_us / 1e6 for time_us in state.column("time_us").to_pylist()]
    assert seconds == [3792, 3800, 5001, 5003]
    assert state.column("shown").to_pylist() == [2, 1, 1, 1]


def test_a_sequence_keeps_the_last_entries_before_the_horizon_and_all_after_it() -> None:
    of = IngestSettings.from_spec(spec())
    rows = [row(time_s, 0, 1, time_s, 1) for time_s in (10, 20, 30, 40, 98, 99, 100)]
    (state,) = state_of(rows, of)["clicked"]
    assert [time_us // 1_000_000 for time_us in state.column("known_us").to_pylist()] == [
        20, 30, 40, 98, 99, 100,
    ]  # fmt: skip


def ingested_log(tmp_path: Path) -> Path:
    """Four days of exposures, of which some arrive on the day after."""
    chance = random.Random(3)
    folder = tmp_path / "logs"
    folder.mkdir()
    number = 0
    for day in range(4):
        lines = []
        for _ in range(150):
            # Days begin at 16:00 UTC.
            time_s = DAY_S * (20_000 + day) - 8 * 3600 + chance.randrange(DAY_S)
            number += 1
            lines.append(
                row(
                    number, chance.randrange(4), chance.randrange(5), time_s, chance.randrange(2),
                    arrived_s=time_s + chance.choice([0, 10, 40_000]), liked=chance.randrange(2),
                    play_s=chance.choice([None, 0.1, 7.5]),
                )
            )  # fmt: skip
        (folder / f"day=2024-10-{4 + day:02d}.jsonl").write_text(
            "".join(json.dumps(line) + "\n" for line in lines)
        )
    (folder / "users.jsonl").write_text(
        "".join(json.dumps({"user_id": key, "city": value}) + "\n" for key, value in CITIES.items())
    )
    return folder


def test_days_that_go_on_from_each_other_give_the_examples_of_one_ingestion(
    tmp_path: Path,
) -> None:
    import datetime

    from feature_spec.histories.histories import Histories
    from pipeline.ingest.histories.history_steps import EarlierState
    from pipeline.ingest.histories.state import read_state
    from tests.pipeline.ingest.ingested import Ingested

    folder = ingested_log(tmp_path)
    of = spec(arrival_time=ARRIVAL, warm_up_days=1)
    assert isinstance(of.histories, Histories)
    whole = Ingested(IngestSettings.from_spec(of), folder, tmp_path / "whole")
    assert whole.summary.totals["warm_up"] == 150
    assert sum(whole.summary.examples.values()) == 450
    assert whole.summary.differences() == []
    parts = []
    earlier = None
    for number in range(4):
        day = datetime.date(2024, 10, 4 + number)
        out = tmp_path / str(day)
        part = Ingested(IngestSettings.from_spec(of, day), folder, out, earlier)
        assert part.summary.totals.get("warm_up", 0) == (150 if not number else 0)
        parts += part.features()
        earlier = EarlierState(str(out / "histories"), read_state(str(out / "histories")))

    def content(features: list[dict]) -> list[str]:
        return sorted(repr(sorted(one.items())) for one in features)

    assert content(parts) == content(whole.features())

    def state(out: Path) -> dict[str, list[dict]]:
        rows: dict[str, list[dict]] = {}
        for path in sorted((out / "histories").glob("*/*.parquet")):
            rows.setdefault(path.name[:-24], []).extend(pq.read_table(path).to_pylist())
        return {name: sorted(of_name, key=repr) for name, of_name in rows.items()}

    assert state(tmp_path / "2024-10-07") == state(tmp_path / "whole")
    assert earlier is not None
    assert earlier.state == read_state(str(tmp_path / "whole" / "histories"))
