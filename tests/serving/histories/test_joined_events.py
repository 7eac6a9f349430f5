"""Impressions and actions: an action changes an impression from its own time on, in any order."""

from __future__ import annotations

import itertools
import random

import numpy as np
import pytest

from feature_spec.loading import parse_spec
from feature_spec.logs.log_values import UnusableLineError
from serving.histories.history_event import HistoryEvent
from serving.histories.lmdb_store import LmdbHistoryStore

SPEC = """
name: toy_events
keys: {request: request, user: user, item: video, event_time: {column: time_s, unit: s}}
logs:
  impressions: {path: "i*.jsonl", format: jsonl, event_id: id}
  actions:
    path: "a*.jsonl"
    format: jsonl
    event_id: id
    kind: action
    event_time: {column: time_s, unit: s}
    window_s: 1000
    folds:
      clicked: {action: click, fold: any}
      play_s: {action: play, fold: sum, value: seconds}
split: {evaluation_days: 1}
histories:
  known_after_s: 0
  counts: {user: {by: [user_id]}}
  sequences:
    clicked:
      {by: user_id, where: {event: clicked}, fields: [video_id], feedback: [click, long], max_length: 9}
fields:
  user_id: {side: user, kind: categorical, column: user}
  video_id: {side: item, kind: categorical, column: video}
tasks:
  click: {kind: binary, label: {rule: event, column: clicked}, metric: auc, threshold: 0, tolerance: 1}
  long: {kind: binary, label: {rule: at_least, column: play_s, threshold: 5}, sample_space: {event: clicked}, metric: auc, threshold: 0, tolerance: 1}
ranking_formula: {weights: {click: 1.0}}
"""


@pytest.fixture(scope="module")
def events_spec():
    return parse_spec(SPEC)


def impression(identity, request, time_s, user="u", video="v"):
    columns = {"id": identity, "request": request, "user": user, "video": video, "time_s": time_s}
    return HistoryEvent(columns=columns)


def action(identity, request, time_s, kind, seconds=None, video="v"):
    columns = {"id": identity, "request": request, "user": "u", "video": video, "time_s": time_s}
    return HistoryEvent(columns={**columns, "action": kind, "seconds": seconds}, kind="action")


EVENTS = [
    impression("i1", "r1", 1000),
    action("a1", "r1", 1010, "click"),
    action("a2", "r1", 1020, "play", 3.0),
    action("a3", "r1", 1040, "play", 4.0),
]


def numbers(store, at_s, user="u"):
    values = store.features({"user_id": user}, {}, [{"video_id": "v"}], at_s * 1_000_000).user
    count = [values["user_shown"], values["user_click"], values["user_long_seen"]]
    return [*count, values["user_long"]], list(
        zip(values["clicked_video_id"], values["clicked_feedback"], strict=True)
    )


def test_an_action_changes_an_impression_from_its_own_time_on(events_spec, open_store):
    store = open_store(events_spec)
    assert store.record_all(EVENTS).recorded == 4
    # At 1000 shown; at 1010 clicked, with 0 s of play outside no space: labelled 0; at 1020 3 s;
    # at 1040 7 s, so it is long. The entry of the sequence keeps the feedback of 1010.
    assert numbers(store, 1000) == ([0, 0, 0, 0], [])
    assert numbers(store, 1001) == ([1, 0, 0, 0], [])
    assert numbers(store, 1011) == ([1, 1, 1, 0], [("v", "click")])
    assert numbers(store, 1021) == ([1, 1, 1, 0], [("v", "click")])
    assert numbers(store, 1041) == ([1, 1, 1, 1], [("v", "click")])


@pytest.mark.parametrize("order", list(itertools.permutations(range(4)))[::5])
def test_events_may_be_recorded_in_any_order(events_spec, open_store, order):
    store = open_store(events_spec)
    for position in order:
        store.record(EVENTS[position])
    for at_s in (1001, 1011, 1021, 1041):
        assert (
            numbers(store, at_s)
            == {
                1001: ([1, 0, 0, 0], []),
                1011: ([1, 1, 1, 0], [("v", "click")]),
                1021: ([1, 1, 1, 0], [("v", "click")]),
                1041: ([1, 1, 1, 1], [("v", "click")]),
            }[at_s]
        )


def test_an_action_belongs_to_the_latest_impression_before_it(events_spec, open_store):
    store = open_store(events_spec)
    first, second = impression("i1", "r", 1000, "u"), impression("i2", "r", 1500, "other")
    store.record_all([first, action("a1", "r", 1600, "click"), second])
    assert numbers(store, 1700) == ([1, 0, 0, 0], [])
    assert numbers(store, 1700, "other") == ([1, 1, 1, 0], [("v", "click")])


def test_an_action_without_an_impression_within_the_window_waits_for_one(events_spec, open_store):
    store = open_store(events_spec)
    store.record(impression("i1", "r1", 1000))
    # 1001 s later, of at most 1000.
    assert store.record(action("a1", "r1", 2001, "click"))
    assert store.record(action("a2", "r2", 2001, "click"))
    assert numbers(store, 3000) == ([1, 0, 0, 0], [])
    store.record(impression("i2", "r2", 1990))
    assert numbers(store, 3000) == ([2, 1, 1, 0], [("v", "click")])
    store.record(impression("i3", "r1", 1500))
    assert numbers(store, 3000)[0] == [3, 2, 2, 0]


def test_an_exposure_is_no_event_of_a_spec_with_event_logs(events_spec, open_store):
    with pytest.raises(UnusableLineError, match="impressions and actions"):
        open_store(events_spec).record(HistoryEvent(columns={}, kind="exposure"))


def random_events(seed):
    draw = random.Random(seed)
    events = []
    for number in range(40):
        request, video, user = f"r{number % 12}", f"v{number % 2}", f"u{number % 3}"
        time_s = 1000 + draw.randrange(4000)
        events.append((time_s, impression(f"i{number}", request, time_s, user, video)))
        for other in range(draw.randrange(4)):
            at_s = time_s + draw.choice([0, 1, 30, 900])
            kind = draw.choice(["click", "play"])
            made = action(
                f"a{number}-{other}", request, at_s, kind, draw.choice([None, 2, 6]), video
            )
            events.append((at_s, made))
    return [event for _, event in sorted(events, key=lambda each: each[0])]


@pytest.mark.parametrize("seed", range(3))
def test_actions_after_a_state_change_impressions_before_it(events_spec, tmp_path, seed):
    events = random_events(seed)
    until_s = 3000
    of_all, of_early, of_state = (
        LmdbHistoryStore(tmp_path / name, events_spec, exact_for_s=None)
        for name in ("all", "early", "state")
    )
    of_all.record_all(events)
    of_early.record_all(each for each in events if each.columns["time_s"] <= until_s)
    state = [
        (key[:1] + key[5:], value)
        for kind in (b"c", b"s")
        for key, value in of_early.database.items(kind)
    ]
    # Half of the events are known before the state is published, half are recorded on it.
    random.Random(seed).shuffle(events)
    of_state.record_all(events[::2])
    of_state.replace(state, until_s * 1_000_000, 0)
    of_state.record_all(events)
    for at_s in range(until_s, 6500, 250):
        for user in ("u0", "u1", "u2"):
            assert numbers(of_state, at_s, user) == numbers(of_all, at_s, user)
    for store in (of_all, of_early, of_state):
        store.close()


def test_numbers_of_events_are_float32(events_spec, open_store):
    store = open_store(events_spec)
    store.record_all(EVENTS)
    items = store.features({"user_id": "u"}, {}, [{"video_id": "v"}], 2_000_000_000).items
    assert all(column.dtype == np.float32 for column in items.values())
