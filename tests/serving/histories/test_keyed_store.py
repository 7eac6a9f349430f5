"""What a store answers against a count line by line; that nothing is lost, doubled or early."""

from __future__ import annotations

import random

import pytest

from feature_spec.loading import parse_spec
from feature_spec.logs.log_values import UnusableLineError
from serving.histories.history_event import HistoryEvent
from serving.histories.store import HistoryStoreError
from tests.serving.histories.reference import (
    BEGIN_US,
    SPEC,
    answer,
    event_of,
    expected_features,
    random_exposures,
)


@pytest.mark.parametrize("seed", range(3))
def test_features_are_those_of_a_count_line_by_line(spec, open_store, seed):
    lines = random_exposures(seed)
    events = [event_of(line, number) for number, line in enumerate(lines)]
    random.Random(seed).shuffle(events)
    store = open_store(spec)
    assert store.record_all(events).recorded == len(lines)
    for line in lines[::7]:
        at_us = line["time_ms"] * 1000
        assert answer(store, line, at_us) == expected_features(lines, line, at_us)


def test_features_name_each_field_of_the_histories_on_its_side(spec, open_store):
    store = open_store(spec)
    lines = random_exposures(0, number=5)
    store.record_all(event_of(line, number) for number, line in enumerate(lines))
    values = store.features({"user_id": "u1"}, {"hour": "8"}, [{"video_id": "v1"}] * 2, BEGIN_US)
    names = {"user": values.user, "context": values.context, "item": values.items}
    for side, made in names.items():
        of_side = [name for name, field in spec.fields_of(side).items() if field.history]
        assert sorted(made) == sorted(of_side)
    assert {column.shape for column in values.items.values()} == {(2,)}


def test_what_becomes_known_at_the_cutoff_or_later_does_not_count(spec, open_store):
    store = open_store(spec)
    line = {**random_exposures(0, 1)[0], "user": "u1", "time_ms": 1_700_000_000_000}
    store.record(event_of(line, "one"))
    # Known after 600 s; the cutoff moves in steps of 8 s, and must lie behind the exposure.
    shown = [
        answer(store, line, BEGIN_US + after_us)["user_shown"]
        for after_us in (0, 600_000_000, 607_999_999, 608_000_000)
    ]
    assert shown == [0.0, 0.0, 0.0, 1.0]


def test_an_event_with_a_known_id_counts_once(spec, open_store):
    store = open_store(spec)
    lines = random_exposures(1, number=20)
    events = [event_of(line, number) for number, line in enumerate(lines)]
    assert [store.record(event) for event in (events[0], events[0])] == [True, False]
    counts = store.record_all([*events, *events])
    assert (counts.recorded, counts.repeated, counts.all) == (19, 21, 40)
    at_us = BEGIN_US + 300_000_000_000
    assert answer(store, lines[0], at_us) == expected_features(lines, lines[0], at_us)


def test_without_an_id_equal_lines_count_once(spec, open_store):
    store = open_store(spec)
    line = random_exposures(1, number=1)[0]
    columns = {name: value for name, value in line.items() if name != "author"}
    event = HistoryEvent(columns=columns, fields={"author_id": "a1"})
    other = HistoryEvent(columns={**columns, "device": "phone"}, fields={"author_id": "a1"})
    assert [store.record(each) for each in (event, event, other)] == [True, False, True]


def test_what_ingestion_would_reject_is_refused_with_its_reason(spec, open_store):
    store = open_store(spec)
    line = random_exposures(1, number=1)[0]
    good = event_of(line, 0)
    bad = {
        "missing_key": {"user": None},
        "bad_event_time": {"time_ms": "yesterday"},
        "out_of_range": {"play_s": -1.0},
        "wrong_type": {"length_s": "long"},
    }
    for number, (reason, columns) in enumerate(bad.items()):
        event = HistoryEvent(
            columns={**good.columns, **columns}, fields=good.fields, id=str(number)
        )
        with pytest.raises(UnusableLineError) as raised:
            store.record(event)
        assert raised.value.reason == reason
        assert store.record_all([event]).rejected == {reason: 1}
    with pytest.raises(UnusableLineError, match="author_id, of side tables"):
        store.record(HistoryEvent(columns=good.columns))


@pytest.mark.parametrize("seed", range(2))
def test_folding_changes_no_answer_from_the_time_on_that_it_says(spec, open_store, seed):
    lines = random_exposures(seed, number=400)
    now_us = BEGIN_US + 150_000_000_000
    store = open_store(spec, exact_for_s=3600.0, clock=lambda: now_us / 1e6)
    early = [line for line in lines if line["time_ms"] * 1000 < now_us]
    store.record_all(event_of(line, number) for number, line in enumerate(early))
    store.compact()
    size = sum(len(value) for _, value in store.database.items(b"c"))
    store.record_all(event_of(line, number) for number, line in enumerate(lines))
    from_us = store.description.exact_from_us
    assert now_us - 2 * 3_600_000_000 < from_us <= now_us - 3_600_000_000
    for line in [line for line in lines if line["time_ms"] * 1000 >= from_us][::3]:
        at_us = line["time_ms"] * 1000
        assert answer(store, line, at_us) == expected_features(lines, line, at_us)
    with pytest.raises(HistoryStoreError, match="exact from"):
        answer(store, lines[0], from_us - 1)
    plain = open_store(spec, "plain")
    plain.record_all(event_of(line, number) for number, line in enumerate(early))
    assert size < sum(len(value) for _, value in plain.database.items(b"c")) / 2


def test_what_has_left_every_window_takes_no_space(spec, open_store):
    lines = random_exposures(3, number=100)
    later_s = BEGIN_US / 1e6 + 30 * 86_400
    store = open_store(spec, exact_for_s=0.0, clock=lambda: later_s)
    store.record_all(event_of(line, number) for number, line in enumerate(lines))
    video = [number for number, count in enumerate(store.counts) if count.name == "video"]
    of_video = b"c" + (0).to_bytes(4, "big") + bytes(video)
    assert list(store.database.items(of_video))
    store.compact()
    assert not list(store.database.items(of_video))


def test_a_store_of_another_spec_is_refused_with_what_differs(open_store, spec):
    store = open_store(spec)
    store.record(event_of(random_exposures(0, number=1)[0], 0))
    other = parse_spec(SPEC.replace("threshold: 5}", "threshold: 6}").replace("[3600, ", "["))
    store.close()
    with pytest.raises(HistoryStoreError, match=r"counts\.video differs; tasks\.long differs"):
        open_store(other)


def test_an_empty_store_says_that_it_holds_nothing(spec, open_store):
    with pytest.raises(HistoryStoreError, match="holds no histories yet"):
        answer(open_store(spec), random_exposures(0, number=1)[0], BEGIN_US)
