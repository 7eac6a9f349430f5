"""Features of histories against the same worked out row by row, whatever way the rows come."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.ingest.settings.ingest_config import IngestSettings
from tests.pipeline.ingest.histories.known import (
    DAY_S,
    Parts,
    Row,
    computed,
    cutoff_s,
    expected,
    known_s,
    row,
    spec,
)

pytestmark = [pytest.mark.slow, pytest.mark.tensorflow]

ARRIVAL = {"column": "arrived_s", "unit": "s"}
WAYS: list[dict[str, Any]] = [
    {},
    {"known_after_s": 0},
    {"arrival_time": ARRIVAL},
    {"known_after_s": None, "refresh": "day"},
    {"known_after_s": None, "refresh": "day", "arrival_time": ARRIVAL},
]


@st.composite
def logs(draw: st.DrawFn) -> list[Row]:
    """Exposures of few users and items at few times, so that many tie."""
    result = []
    for number in range(draw(st.integers(0, 25))):
        # Midnight in Shanghai is at 16:00 UTC.
        time_s = 16 * 3600 + DAY_S * draw(st.integers(0, 2)) + draw(st.integers(-8, 8))
        clicked = draw(st.integers(0, 1))
        result.append(
            row(
                number,
                draw(st.integers(0, 3)),
                draw(st.one_of(st.none(), st.integers(0, 3))),
                time_s,
                clicked,
                arrived_s=time_s + draw(st.sampled_from([-1, 0, 0, 2, 9])),
                liked=draw(st.integers(0, 1)),
                play_s=draw(st.one_of(st.none(), st.sampled_from([0.0, 0.25, -3.5, 1e3]))),
            )
        )
    return result


@pytest.mark.parametrize("way", WAYS, ids=str)
@settings(max_examples=30, deadline=None)
@given(rows=logs())
def test_features_are_those_worked_out_row_by_row(way: dict[str, Any], rows: list[Row]) -> None:
    of = spec(**way)
    assert computed(rows, IngestSettings.from_spec(of)) == expected(rows, of)


@settings(max_examples=30, deadline=None)
@given(rows=logs(), seed=st.integers(0, 10**6), shards=st.integers(1, 5))
def test_features_do_not_depend_on_shards_or_the_order_of_arrival(
    rows: list[Row], seed: int, shards: int
) -> None:
    of = IngestSettings.from_spec(spec())
    chance = random.Random(seed)
    shard_of = {one["number"]: chance.randrange(shards) for one in rows}
    shuffled = chance.sample(rows, len(rows))

    def reordered(parts: list[Any]) -> list[Any]:
        return chance.sample(parts, len(parts))

    parts = Parts(shards, lambda one: shard_of[one["number"]], reordered)
    found = dict(
        zip([one["number"] for one in shuffled], computed(shuffled, of, parts), strict=True)
    )
    assert [found[one["number"]] for one in rows] == computed(rows, of)


def later_changed(rows: list[Row], at: int, of: Any, chance: random.Random) -> list[Row]:
    """The log with anything that is known at or after an exposure's cutoff changed or left out."""
    one = rows[at]
    cutoff = cutoff_s(one["time_s"], of)
    result = []
    for other in rows:
        if other is one:  # its own feedback comes later, too
            result.append(other | {"clicked": 1 - other["clicked"], "play_s": 77.0})
        elif known_s(other, of) < cutoff:
            result.append(other)
        elif chance.random() < 0.8:
            later = max(other["time_s"], other["arrived_s"]) + chance.randrange(3)
            changes = {
                "clicked": 1, "liked": 1, "play_s": 5.0, "user_id": "u1", "item_id": "i1",
                "time_s": later, "arrived_s": later,
            }  # fmt: skip
            result.append(other | changes)
    return result


def features_at(rows: list[Row], number: int, of: Any) -> dict[str, Any]:
    (position,) = [place for place, one in enumerate(rows) if one["number"] == number]
    return computed(rows, IngestSettings.from_spec(of))[position]


@pytest.mark.parametrize("way", WAYS, ids=str)
@settings(max_examples=30, deadline=None)
@given(rows=logs().filter(bool), seed=st.integers(0, 10**6))
def test_nothing_at_or_after_the_cutoff_changes_a_feature(
    way: dict[str, Any], rows: list[Row], seed: int
) -> None:
    of = spec(**way)
    chance = random.Random(seed)
    at = chance.randrange(len(rows))
    changed = later_changed(rows, at, of, chance)
    number = rows[at]["number"]
    assert features_at(rows, number, of) == features_at(changed, number, of)


@pytest.mark.parametrize(
    "leak",
    [
        "the exposure's own time counts as the cutoff",
        "what is known at the cutoff counts",
        "the event's time counts although it arrived later",
    ],
)
def test_a_planted_leak_is_caught(leak: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from pipeline.ingest.histories import history_rows

    of = spec(arrival_time=ARRIVAL)
    true_cutoff = history_rows.cutoff_us
    if leak.startswith("the exposure"):
        monkeypatch.setattr(history_rows, "cutoff_us", lambda _, times, __: times)
    elif leak.startswith("what"):
        monkeypatch.setattr(history_rows, "cutoff_us", lambda *args: true_cutoff(*args) + 1)
    else:
        monkeypatch.setattr(history_rows, "ARRIVAL", "no such column")
    chance = random.Random(0)
    caught = 0
    for _ in range(20):
        rows = [
            row(number, chance.randrange(2), chance.randrange(2), chance.randrange(20))
            for number in range(15)
        ]
        for one in rows:
            one["arrived_s"] += chance.choice([0, 4])
        at = chance.randrange(len(rows))
        changed = later_changed(rows, at, of, chance)
        number = rows[at]["number"]
        caught += features_at(rows, number, of) != features_at(changed, number, of)
    assert caught > 0
