"""A state in a store: what it answers then, which events stay, and which states are refused."""

from __future__ import annotations

import json

import pytest

from serving.histories.publishing import publish, state_folder
from serving.histories.store import HistoryStoreError
from tests.serving.histories.reference import (
    answer,
    event_of,
    expected_features,
    random_exposures,
    write_state,
)

LINES = random_exposures(5, number=200)
EARLY = [line for line in LINES if line["time_ms"] <= LINES[120]["time_ms"]]
UNTIL_US = EARLY[-1]["time_ms"] * 1000


def assert_answers(store, lines):
    for line in [line for line in LINES if line["time_ms"] * 1000 >= UNTIL_US][::5]:
        at_us = line["time_ms"] * 1000
        assert answer(store, line, at_us) == expected_features(lines, line, at_us)


def test_a_published_state_and_later_events_answer_as_all_events_do(spec, open_store, tmp_path):
    write_state(tmp_path / "state", spec, EARLY)
    store = open_store(spec)
    state, later = publish(store, tmp_path / "state")
    assert (state.until_us, state.exposures, later.all) == (UNTIL_US, len(EARLY), 0)
    assert store.features({}, {}, [], UNTIL_US).newest_us == UNTIL_US
    store.record_all(event_of(line, n) for n, line in enumerate(LINES) if line not in EARLY)
    assert_answers(store, LINES)


def test_a_newer_state_keeps_later_events_and_forgets_what_it_lacks(spec, open_store, tmp_path):
    store = open_store(spec)
    # The store knows the early lines, and one that the log lost.
    lost = {**LINES[3], "time_ms": LINES[3]["time_ms"] + 1}
    store.record_all(event_of(line, n) for n, line in enumerate([*LINES, lost]))
    write_state(tmp_path / "state", spec, EARLY)
    for _ in range(2):
        _, later = publish(store, tmp_path / "state")
        assert later.recorded == len(LINES) - len(EARLY)
        assert_answers(store, LINES)
    # Ids of later events are still known, and what the state has counts once.
    counts = store.record_all(event_of(line, n) for n, line in enumerate(LINES))
    assert counts.repeated == len(LINES)
    assert_answers(store, LINES)


def test_nothing_of_an_earlier_generation_stays(spec, open_store, tmp_path):
    store = open_store(spec)
    write_state(tmp_path / "state", spec, EARLY)
    publish(store, tmp_path / "state")
    before = len(list(store.database.items(b"")))
    publish(store, tmp_path / "state")
    assert len(list(store.database.items(b""))) == before


def test_a_state_of_another_spec_is_refused_with_what_differs(spec, open_store, tmp_path):
    write_state(tmp_path, spec, EARLY)
    file = tmp_path / "histories.json"
    content = json.loads(file.read_text())
    content["digest"] = "0" * 16
    del content["parts"]["counts.user"]
    content["parts"]["tasks.click"] = "000000"
    file.write_text(json.dumps(content))
    with pytest.raises(
        HistoryStoreError, match=r"counts\.user is only in the spec; tasks\.click differs"
    ):
        publish(open_store(spec), tmp_path)


@pytest.mark.parametrize(
    "place",
    [
        "",
        "histories",
        "assets.extra/histories",
        "7/assets.extra/histories",
        "serving_model/7/assets.extra/histories",
        "artifacts/LogsExampleGen/examples/12/histories",
    ],
)
def test_a_state_is_found_from_a_model_a_run_or_its_own_folder(tmp_path, place):
    older = place.replace("7/", "6/").replace("12/", "3/")
    for folder in {older, place}:
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)
        (tmp_path / folder / "histories.json").write_text("{}")
    assert state_folder(tmp_path) == tmp_path / place


def test_where_there_is_no_state_the_error_says_where_one_was_looked_for(tmp_path):
    with pytest.raises(HistoryStoreError, match=r"no assets\.extra/histories/histories\.json"):
        state_folder(tmp_path)
