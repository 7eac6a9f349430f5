"""Impressions and actions become exposures: each test of the join goes against a brute-force reference or hand-worked logs."""

from __future__ import annotations

import json
import math
from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.ingest.accounting.rejection import RejectedLine
from pipeline.ingest.events.event_join import deduplicated, joined, label_joined
from pipeline.ingest.events.event_rows import ActionParser, ImpressionParser
from pipeline.ingest.formats.record_batch import record_digest
from pipeline.ingest.labelling.labelled_rows import ValuesReader
from pipeline.ingest.settings.ingest_config import IngestSettings
from tests.pipeline.ingest.events.parsed_events import parsed_events

WINDOW_S = 100
FOLDS = {
    "clicked": {"action": "click", "fold": "any"},
    "shares": {"action": "share", "fold": "count"},
    "play_s": {"action": "play", "fold": "sum", "value": "watch_s"},
    "longest_s": {"action": "play", "fold": "maximum", "value": "watch_s"},
}
LOGS = {
    "impressions": {"path": "shown*", "format": "jsonl", "event_id": "id"},
    "actions": {
        "path": "done*", "format": "jsonl", "event_id": "id", "kind": "kind", "event_time": {"column": "time_s", "unit": "s"},
        "window_s": WINDOW_S, "folds": FOLDS,
    },
}  # fmt: skip
TASKS: dict[str, Any] = {
    "click": {"kind": "binary", "label": {"rule": "event", "column": "clicked"}, "metric": "auc", "threshold": 0, "tolerance": 1},
    "shared": {"kind": "binary", "label": {"rule": "event", "column": "shares"}, "metric": "auc", "threshold": 0, "tolerance": 1},
    "watch": {
        "kind": "regression", "label": {"rule": "ratio", "numerator": "play_s", "denominator": "duration_s", "clip": 3.0},
        "sample_space": {"event": "clicked"}, "metric": "mse", "threshold": 1, "tolerance": 1,
    },
    "longest": {"kind": "regression", "label": {"rule": "column", "column": "longest_s"}, "metric": "mse", "threshold": 1, "tolerance": 1},
}  # fmt: skip


def _settings(tiny, join_by: str = "request", **changes: Any) -> IngestSettings:
    logs = {**LOGS, "actions": {**LOGS["actions"], "join_by": join_by}}
    price = {"side": "item", "kind": "numeric", "minimum": 0}
    item = {"side": "item", "kind": "categorical", "column": "item_id"}
    return tiny.settings(
        **{"logs": logs, "tasks": TASKS, "fields": {"item": item, "price": price}} | changes
    )


def _impression(number: int, time_s: int = 1000, **changes: Any) -> dict[str, Any]:
    return {
        "id": f"i{number}",
        "request_id": "r",
        "user_id": "u",
        "item_id": "a",
        "time_s": time_s,
        "duration_s": 10.0,
    } | changes


def _action(number: int, kind: str, time_s: int = 1010, **changes: Any) -> dict[str, Any]:
    return {
        "id": f"a{number}",
        "request_id": "r",
        "user_id": "u",
        "item_id": "a",
        "time_s": time_s,
        "kind": kind,
    } | changes


class Run:
    """What becomes of the lines of two logs, sharded `shards` ways."""

    def __init__(
        self, spec: IngestSettings, shown: list[bytes], done: list[bytes], shards: int = 1
    ) -> None:
        self.rejected: dict[str, list[RejectedLine]] = {}
        tables = {}
        for log, lines in (("shown", shown), ("done", done)):
            table, self.rejected[log] = parsed_events(
                (ActionParser if log == "done" else ImpressionParser)(spec), lines
            )
            parts = []
            for part in _shards(table, "event_low", shards):
                distinct = deduplicated(part, ["log"])
                self.rejected[log] += distinct.rejected
                parts.append(distinct.events)
            tables[log] = pa.concat_tables([table.slice(0, 0), *parts])
        self.rows: list[dict[str, Any]] = []
        self.kinds: Counter[str] = Counter()
        rules = spec.logs.actions
        assert rules is not None
        both = [_shards(tables[log], "join_key", shards, empty=True) for log in ("shown", "done")]
        for impressions, actions in zip(*both, strict=True):
            together = joined(impressions, actions, rules, ["log"])
            self.kinds += together.kinds
            self.rejected["done"] += together.rejected
            rows, unusable = label_joined(
                impressions, together.columns, ValuesReader(spec, folded=True), ["log"]
            )
            self.rejected["shown"] += unusable
            self.rows += rows.to_pylist()

    def reasons(self, log: str) -> Counter[str]:
        return Counter(str(entry.reason) for entry in self.rejected[log])

    def labels(self) -> list[tuple[Any, ...]]:
        """Request, item, time and labels of each row, in order."""
        names = ("request_key", "item_key", "event_time_us", *(f"label.{task}" for task in TASKS))
        return sorted((tuple(row[name] for name in names) for row in self.rows), key=repr)


def _shards(table: pa.Table, column: str, shards: int, empty: bool = False) -> list[pa.Table]:
    numbers = np.array([hash(key) % shards for key in table.column(column).to_pylist()], np.int64)
    parts = [table.filter(pa.array(numbers == shard)) for shard in range(shards)]
    return [part for part in parts if empty or part.num_rows]


def _run(
    spec: IngestSettings, shown: Iterable[dict[str, Any]], done: Iterable[dict[str, Any]]
) -> Run:
    return Run(spec, *([json.dumps(event).encode() for event in log] for log in (shown, done)))


def test_actions_fold_into_columns_that_labels_read(tiny) -> None:
    actions = [
        _action(1, "click"),
        _action(2, "play", watch_s=4.0),
        _action(3, "play", watch_s=3.5),
        _action(4, "share"),
        _action(5, "share"),
    ]
    run = _run(_settings(tiny), [_impression(1)], actions)
    [row] = run.rows
    # 4 + 3.5 of 10 seconds; the longer play took 4.
    assert [row[f"label.{task}"] for task in TASKS] == [1.0, 1.0, 0.75, 4.0]
    assert run.kinds == {"click": 1, "play": 2, "share": 2}
    assert run.rejected == {"shown": [], "done": []}


def test_without_actions_events_did_not_happen_sums_are_0_and_a_maximum_is_missing(tiny) -> None:
    [row] = _run(_settings(tiny), [_impression(1)], []).rows
    assert [row[f"label.{task}"] for task in TASKS] == [0.0, 0.0, None, None]
    [row] = _run(_settings(tiny), [_impression(1)], [_action(1, "click")]).rows
    assert [row[f"label.{task}"] for task in TASKS] == [1.0, 0.0, 0.0, None]


@pytest.mark.parametrize(
    ("time_s", "reason"),
    [(1000, None), (1100, None), (1101, "late_action"), (999, "orphan_action")],
)
def test_an_action_counts_from_its_impression_to_the_end_of_the_window(
    tiny, time_s: int, reason: str | None
) -> None:
    run = _run(_settings(tiny), [_impression(1)], [_action(1, "click", time_s)])
    assert run.rows[0]["label.click"] == (0.0 if reason else 1.0)
    assert run.reasons("done") == ({reason: 1} if reason else {})


def test_a_late_action_says_how_late_it_is(tiny) -> None:
    [entry] = _run(_settings(tiny), [_impression(1)], [_action(1, "click", 1500)]).rejected["done"]
    assert entry.detail == "500 s after its impression, more than window_s 100"


def test_an_action_of_another_request_or_item_is_an_orphan(tiny) -> None:
    actions = [_action(1, "click", item_id="b"), _action(2, "click", request_id="r2")]
    run = _run(_settings(tiny), [_impression(1)], actions)
    assert run.reasons("done") == {"orphan_action": 2}
    assert run.rows[0]["label.click"] == 0.0


def test_joined_by_user_an_action_belongs_to_the_latest_impression_before_it(tiny) -> None:
    shown = [
        _impression(number, 1000 + 30 * number, request_id=f"r{number}") for number in range(3)
    ]
    run = _run(_settings(tiny, "user"), shown, [_action(1, "click", 1045, request_id="other")])
    assert [(row["request_key"], row["label.click"]) for row in sorted(run.rows, key=lambda row: row["request_key"])] == [
        (b"r0", 0.0), (b"r1", 1.0), (b"r2", 0.0),
    ]  # fmt: skip


def test_events_of_one_id_are_one_even_if_they_differ(tiny) -> None:
    shown = [_impression(1), _impression(1, time_s=950, price=2)]
    done = [_action(1, "share"), _action(1, "share", time_s=1020), _action(2, "share")]
    run = _run(_settings(tiny), shown, done)
    assert (run.reasons("shown"), run.reasons("done")) == ({"duplicate": 1}, {"duplicate": 1})
    # The earliest stays.
    assert [row["event_time_us"] for row in run.rows] == [950_000_000]
    assert run.kinds == {"share": 2}


def test_without_event_ids_equal_lines_are_one_event(tiny) -> None:
    logs = {
        name: {key: value for key, value in log.items() if key != "event_id"}
        for name, log in LOGS.items()
    }
    share = _action(1, "share")
    run = _run(
        _settings(tiny, logs=logs), [_impression(1)] * 2, [share, share, share | {"time_s": 1011}]
    )
    assert (run.reasons("shown"), run.reasons("done")) == ({"duplicate": 1}, {"duplicate": 1})
    assert run.kinds == {"share": 2}


def test_an_impression_whose_values_cannot_be_used_is_rejected_at_its_line(tiny) -> None:
    run = _run(_settings(tiny), [_impression(1), _impression(2, item_id="b", price=-1)], [])
    [entry] = run.rejected["shown"]
    assert (entry.source, entry.offset, entry.reason) == ("log", 2, "out_of_range")
    assert len(run.rows) == 1


def test_actions_on_an_impression_whose_values_cannot_be_used_are_no_orphans(tiny) -> None:
    run = _run(_settings(tiny), [_impression(1, price=-1)], [_action(1, "click")])
    assert (run.reasons("shown"), run.reasons("done"), run.kinds) == (
        {"out_of_range": 1},
        {},
        {"click": 1},
    )


@pytest.mark.parametrize(("change", "reason"), [
    ({"kind": None}, "missing_key"), ({"id": ""}, "missing_key"), ({"time_s": "late"}, "bad_event_time"),
    ({"watch_s": "long"}, "wrong_type"), ({"item_id": None}, "missing_key"),
])  # fmt: skip
def test_an_action_that_cannot_be_read_is_rejected(
    tiny, change: dict[str, Any], reason: str
) -> None:
    run = _run(_settings(tiny), [_impression(1)], [_action(1, "play") | change])
    assert run.reasons("done") == {reason: 1}


EVENTS = st.fixed_dictionaries(
    {
        "id": st.sampled_from([f"e{number}" for number in range(12)]),
        "request_id": st.sampled_from(["r", "s"]),
        "user_id": st.sampled_from(["u", "v"]),
        "item_id": st.sampled_from(["a", "b"]),
        "time_s": st.integers(0, 300),
    }
)
SHOWN = st.tuples(
    EVENTS,
    st.fixed_dictionaries(
        {"duration_s": st.sampled_from([None, 0, 5.0]), "price": st.sampled_from([1, -1])}
    ),
)
DONE = st.tuples(
    EVENTS,
    st.fixed_dictionaries(
        {
            "kind": st.sampled_from(["click", "play", "share", "other"]),
            "watch_s": st.sampled_from([None, 0.1, 0.2, 7]),
        }
    ),
)
BROKEN = st.sampled_from([b"", b"{", b"[]", b'{"id": "e1"}', b'{"caf\xe9": 1}'])


def _lines(events: st.SearchStrategy[Any]) -> st.SearchStrategy[list[bytes]]:
    return st.lists(
        st.one_of(events.map(lambda parts: json.dumps(parts[0] | parts[1]).encode()), BROKEN),
        max_size=25,
    )


def _reference(
    shown: list[bytes], done: list[bytes], first_key: str
) -> tuple[list[tuple[Any, ...]], Counter[str]]:
    """Labels as of `Run.labels`, and what became of the actions, the slow and obvious way."""

    def events(lines: list[bytes]) -> list[dict[str, Any]]:
        whole = []
        for line in lines:
            try:
                record = json.loads(line)
            except ValueError:
                continue
            if isinstance(record, dict) and "time_s" in record:
                whole.append(record)
        by_id = defaultdict(list)
        for event in whole:
            by_id[event["id"]].append(event)
        return [
            min(same, key=lambda event: (event["time_s"], record_digest(event)))
            for same in by_id.values()
        ]

    impressions = events(shown)
    outcome: Counter[str] = Counter()
    mine: dict[str, list[dict[str, Any]]] = {impression["id"]: [] for impression in impressions}
    for action in events(done):
        earlier = [
            one for one in impressions
            if (one[first_key], one["item_id"]) == (action[first_key], action["item_id"]) and one["time_s"] <= action["time_s"]
        ]  # fmt: skip
        if not earlier:
            outcome["orphan_action"] += 1
            continue
        latest = max(earlier, key=lambda one: (one["time_s"], record_digest(one)))
        if action["time_s"] - latest["time_s"] > WINDOW_S:
            outcome["late_action"] += 1
        else:
            outcome["joined"] += 1
            mine[latest["id"]].append(action)
    labels = []
    for impression in impressions:
        if impression["price"] < 0:
            continue
        kinds = Counter(action["kind"] for action in mine[impression["id"]])
        plays = [
            action["watch_s"]
            for action in mine[impression["id"]]
            if action["kind"] == "play" and action["watch_s"] is not None
        ]
        inside = kinds["click"] and impression["duration_s"]
        ratio = min(math.fsum(plays) / impression["duration_s"], 3.0) if inside else None
        keys = (
            impression["request_id"].encode(),
            impression["item_id"].encode(),
            impression["time_s"] * 1_000_000,
        )
        labels.append(
            (
                *keys,
                float(kinds["click"] > 0),
                float(kinds["share"] > 0),
                ratio,
                float(max(plays)) if plays else None,
            )
        )
    return sorted(labels, key=repr), outcome


@pytest.mark.parametrize("join_by", ["request", "user"])
@settings(max_examples=60)
@given(shown=_lines(SHOWN), done=_lines(DONE), shards=st.integers(1, 4), data=st.data())
def test_random_logs_join_as_by_brute_force_in_any_order_and_any_shards(
    tiny, join_by: str, shown: list[bytes], done: list[bytes], shards: int, data: st.DataObject
) -> None:
    spec = _settings(tiny, join_by)
    run = Run(spec, shown, done, shards)
    labels, outcome = _reference(shown, done, f"{join_by}_id")
    assert run.labels() == labels
    assert run.kinds.total() == outcome["joined"]
    assert {reason: run.reasons("done")[reason] for reason in ("orphan_action", "late_action")} == {
        reason: outcome[reason] for reason in ("orphan_action", "late_action")
    }
    # Every line is accounted for once.
    assert len(run.rows) + len(run.rejected["shown"]) == len(shown)
    assert run.kinds.total() + len(run.rejected["done"]) == len(done)
    again = Run(spec, data.draw(st.permutations(shown)), data.draw(st.permutations(done)))
    assert again.labels() == labels
    assert [again.reasons(log) for log in ("shown", "done")] == [
        run.reasons(log) for log in ("shown", "done")
    ]
