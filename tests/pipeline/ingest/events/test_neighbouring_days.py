"""Ingested day by day, events that midnight parts come together as if all days were ingested at once."""

from __future__ import annotations

import datetime
import json
from collections import Counter
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.ingest.accounting.rejection import RejectedLine
from pipeline.ingest.events.event_join import deduplicated, joined, label_joined
from pipeline.ingest.events.event_rows import ActionParser, ImpressionParser
from pipeline.ingest.labelling.labelled_rows import ValuesReader
from pipeline.ingest.settings.ingest_config import IngestSettings
from pipeline.ingest.settings.log_days import bounds_us
from tests.pipeline.ingest.events.parsed_events import parsed_events

FIRST = datetime.date(2022, 5, 1)
DAYS = 4
DAY_S = 86_400
TASK = {"metric": "mse", "threshold": 1, "tolerance": 1}
TASKS = {
    "click": {
        **TASK,
        "kind": "binary",
        "metric": "auc",
        "label": {"rule": "event", "column": "clicked"},
    },
    "shares": {**TASK, "kind": "regression", "label": {"rule": "column", "column": "shares"}},
    "play": {**TASK, "kind": "regression", "label": {"rule": "column", "column": "play_s"}},
}
Lines = dict[datetime.date, tuple[list[bytes], list[bytes]]]


def day(number: int) -> datetime.date:
    return FIRST + datetime.timedelta(days=number)


def changes(
    window_s: float = 100, timezone: str = "UTC", join_by: str = "user", done: str = "done/{day}"
) -> dict[str, Any]:
    """Of the small spec, which becomes one of event logs."""
    event_time = {"column": "time_s", "unit": "s", "timezone": timezone}
    folds = {
        "clicked": {"action": "click", "fold": "any"},
        "shares": {"action": "share", "fold": "count"},
        "play_s": {"action": "play", "fold": "sum", "value": "watch_s"},
    }
    return {
        "keys__event_time": event_time,
        "logs": {
            "impressions": {"path": "shown/{day}", "format": "jsonl", "event_id": "id"},
            "actions": {
                "path": done, "format": "jsonl", "event_id": "id", "kind": "kind", "event_time": event_time,
                "join_by": join_by, "window_s": window_s, "folds": folds,
            },
        },
        "fields": {
            "item": {"side": "item", "kind": "categorical", "column": "item_id"},
            "price": {"side": "item", "kind": "numeric", "minimum": 0},
        },
        "tasks": TASKS,
    }  # fmt: skip


@pytest.mark.parametrize(("window_s", "neighbours"), [
    (1, [1, 3]), (DAY_S, [1, 3]), (DAY_S + 1, [0, 1, 3, 4]),
])  # fmt: skip
def test_the_neighbours_of_a_day_are_as_far_as_the_window_reaches(
    tiny, window_s: float, neighbours: list[int]
) -> None:
    found = tiny.settings(day(2), **changes(window_s)).neighbouring_days
    assert [neighbour.day for neighbour in found] == [day(number) for number in neighbours]
    assert (found[0].impressions, found[0].actions) == (
        [f"shown/{found[0].day}"],
        [f"done/{found[0].day}"],
    )


def test_a_day_of_23_hours_is_shorter_than_a_window_of_24(tiny) -> None:
    # In Berlin, clocks went forward on 27 March 2022: 24 hours after the 26th's last second, the
    # 28th was an hour old.
    for of, neighbours in ((26, [25, 27, 28]), (27, [26, 28]), (28, [26, 27, 29])):
        found = tiny.settings(
            datetime.date(2022, 3, of), **changes(DAY_S, "Europe/Berlin")
        ).neighbouring_days
        assert [neighbour.day.day for neighbour in found] == neighbours
    begin_us, end_us = bounds_us(datetime.date(2022, 3, 27), "Europe/Berlin")
    assert end_us - begin_us == 23 * 3600 * 1_000_000


def test_a_log_of_exposures_and_a_run_of_all_days_have_no_neighbours(tiny) -> None:
    assert tiny.settings(day(2)).neighbouring_days == []
    assert tiny.settings(**changes()).neighbouring_days == []


class Ingested:
    """What becomes of event logs of some days, of which `spec` says whether all are ingested or one."""

    def __init__(self, spec: IngestSettings, logs: Lines) -> None:
        read = (
            {spec.day, *(neighbour.day for neighbour in spec.neighbouring_days)}
            if spec.day is not None
            else set(logs)
        )
        self.lines, self.lines_of_other_days, self.of_other_days = [0, 0], 0, 0
        self.rejected: list[Counter[str]] = [Counter(), Counter()]
        files = [str(number) for number in range(len(logs))]
        events = []
        for log in (0, 1):
            parse = (ImpressionParser, ActionParser)[log](spec)
            tables = []
            for number, file_day in enumerate(sorted(read & logs.keys())):
                lines = logs[file_day][log]
                table, rejected = parsed_events(
                    parse, lines, number, file_day if spec.day is not None else None
                )
                if spec.day in (None, file_day):
                    self.lines[log] += len(lines)
                    self._reject(log, rejected)
                elif log == 1:
                    self.lines_of_other_days += len(lines)
                    self.of_other_days += len(rejected)
                tables.append(table)
            distinct = deduplicated(pa.concat_tables(tables, promote_options="default"), files)
            self._reject(log, distinct.rejected)
            self.of_other_days += distinct.of_other_days if log == 1 else 0
            events.append(distinct.events)
        rules = spec.logs.actions
        assert rules is not None
        together = joined(*events, rules, files)
        self.kinds = together.kinds
        self._reject(1, together.rejected)
        self.of_other_days += together.of_other_days
        assert together.impressions is not None
        rows, unusable = label_joined(
            together.impressions, together.columns, ValuesReader(spec, folded=True), files
        )
        self._reject(0, unusable)
        names = ("request_key", "event_time_us", *(f"label.{task}" for task in TASKS))
        self.labels = [tuple(row[name] for name in names) for row in rows.to_pylist()]

    def _reject(self, log: int, lines: list[RejectedLine]) -> None:
        """What counts as late, or as stray, in a day's ingestion may be an orphan, or a duplicate, where all days are known."""
        same = {"late_action": "orphan_action", "stray_event_time": "duplicate"}
        self.rejected[log].update(same.get(line.reason, str(line.reason)) for line in lines)

    def check(self) -> None:
        """Every line is accounted for once."""
        assert self.lines[0] == len(self.labels) + self.rejected[0].total()
        lines = self.lines[1] + self.lines_of_other_days
        assert lines == self.kinds.total() + self.rejected[1].total() + self.of_other_days


# Most events are close to a midnight, so that many belong together across it; some copies are
# stamped anew.
TIMES = st.tuples(st.integers(1, DAYS - 1), st.integers(-150, 150)).map(
    lambda at: at[0] * DAY_S + at[1]
)
KEYS = {
    "request_id": st.sampled_from(["r", "s"]), "user_id": st.sampled_from(["u", "v"]), "item_id": st.sampled_from(["a", "b"]),
    "time_s": TIMES, "copies": st.lists(st.integers(-1, 60), max_size=2),
}  # fmt: skip
SHOWN = st.fixed_dictionaries(KEYS | {"price": st.sampled_from([1, 1, 1, -1])})
DONE = st.fixed_dictionaries(
    KEYS
    | {
        "kind": st.sampled_from(["click", "play", "share", "other"]),
        "watch_s": st.sampled_from([None, 0.1, 0.2, 7]),
    }
)
BROKEN = st.tuples(st.integers(0, DAYS - 1), st.sampled_from([b"", b"{", b"[]", b'{"id": "e1"}']))


def _write(
    logs: Lines,
    log: int,
    midnight_s: int,
    events: list[dict[str, Any]],
    broken: list[tuple[int, bytes]],
) -> None:
    """Each event into the file of its day; a copy is stamped seconds later or, if equal, may be a day late."""
    for number, event in enumerate(events):
        content = {name: value for name, value in event.items() if name != "copies"} | {
            "id": f"e{number}"
        }
        for after_s in [0, *event["copies"]]:
            time_s = event["time_s"] + max(after_s, 0)
            of_day = min(time_s // DAY_S + (after_s == -1), DAYS - 1)
            line = json.dumps(content | {"time_s": midnight_s + time_s}).encode()
            logs[day(of_day)][log].append(line)
    for number, line in broken:
        logs[day(number)][log].append(line)


@settings(max_examples=60)
@given(
    shown=st.lists(SHOWN, min_size=1, max_size=20), done=st.lists(DONE, min_size=1, max_size=20),
    broken=st.tuples(*[st.lists(BROKEN, max_size=4)] * 2), window_s=st.sampled_from([100, DAY_S + 100]),
    join_by=st.sampled_from(["request", "user"]), timezone=st.sampled_from(["UTC", "Asia/Shanghai"]),
)  # fmt: skip
def test_days_ingested_one_by_one_have_together_the_labels_and_the_counts_of_one_ingestion_of_all(
    tiny, shown: Any, done: Any, broken: Any, window_s: float, join_by: str, timezone: str
) -> None:
    logs: Lines = {day(number): ([], []) for number in range(DAYS)}
    midnight_s = bounds_us(FIRST, timezone)[0] // 1_000_000
    for log, events in enumerate((shown, done)):
        _write(logs, log, midnight_s, events, broken[log])
    spec = changes(window_s, timezone, join_by)
    whole = Ingested(tiny.settings(**spec), logs)
    days = [Ingested(tiny.settings(one, **spec), logs) for one in logs]
    for run in (whole, *days):
        run.check()
    assert sorted((row for run in days for row in run.labels), key=repr) == sorted(
        whole.labels, key=repr
    )
    assert sum((run.kinds for run in days), Counter()) == whole.kinds
    for log in (0, 1):
        assert sum(run.lines[log] for run in days) == whole.lines[log]
        assert sum((run.rejected[log] for run in days), Counter()) == whole.rejected[log]
