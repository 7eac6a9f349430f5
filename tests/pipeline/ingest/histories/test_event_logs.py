"""Histories of event logs: an action counts from its own time on."""

from __future__ import annotations

import datetime
import json
import random
from pathlib import Path
from typing import Any

import pytest
import yaml

from feature_spec.loading import parse_spec
from feature_spec.spec import FeatureSpec
from pipeline.ingest.settings.ingest_config import IngestSettings
from tests.pipeline.ingest.ingested import Ingested

pytestmark = [pytest.mark.slow, pytest.mark.tensorflow]

SPEC = """
name: events
keys: {request: request_id, user: user_id, item: item_id, event_time: {column: time_s, unit: s}}
logs:
  impressions: {path: "shown/day={day}.jsonl", format: jsonl}
  actions:
    path: "done/day={day}.jsonl"
    format: jsonl
    kind: kind
    event_time: {column: time_s, unit: s}
    window_s: 3000
    folds:
      clicked: {action: click, fold: any}
      liked: {action: like, fold: any}
      clicks: {action: click, fold: count}
      play_s: {action: play, fold: maximum, value: seconds}
split: {evaluation_days: 1, validation_share: 0.2}
histories:
  known_after_s: 60
  counts:
    user: {by: [user]}
    item: {by: [item], windows_s: [1000]}
  sequences:
    clicked: {by: user, where: {event: clicked}, fields: [item], max_length: 4, feedback: [click, like]}
    twice: {by: user, where: {event: clicks, equals: ["2"]}, fields: [item], max_length: 4}
    shown: {by: user, fields: [item], max_length: 3, feedback: [click], age: false}
fields:
  user: {side: user, kind: categorical, column: user_id}
  item: {side: item, kind: categorical, column: item_id}
tasks:
  click: {kind: binary, label: {rule: event, column: clicked}, metric: auc, threshold: 0.5, tolerance: 0.1}
  like:
    kind: binary
    label: {rule: event, column: liked}
    sample_space: {event: clicked}
    metric: auc
    threshold: 0.5
    tolerance: 0.1
  watch: {kind: regression, label: {rule: column, column: play_s}, metric: mse, threshold: 99999, tolerance: 0.1}
ranking_formula: {weights: {click: 1.0}}
"""
BEGIN_S = 86_400 * 20_000
Event = dict[str, Any]


def spec() -> FeatureSpec:
    return parse_spec(yaml.safe_dump(yaml.safe_load(SPEC)))


def event_logs(folder: Path) -> tuple[list[Event], list[Event]]:
    """Three days of impressions, each with up to four actions, of which some cross midnight."""
    chance = random.Random(5)
    impressions, actions = [], []
    for number in range(240):
        # Many shortly before midnight.
        day, second = chance.randrange(3), chance.choice([chance.randrange(80_000, 86_400), 86_000])
        shown = {
            "request_id": f"r{number}", "user_id": f"u{chance.randrange(3)}",
            "item_id": f"i{chance.randrange(4)}", "time_s": BEGIN_S + 86_400 * day + second,
        }  # fmt: skip
        impressions.append(shown)
        for _ in range(chance.choice([0, 0, 1, 2, 4])):
            actions.append(
                {
                    "request_id": shown["request_id"], "item_id": shown["item_id"],
                    "kind": chance.choice(["click", "click", "like", "play", "other"]),
                    "time_s": shown["time_s"] + chance.choice([0, 5, 5, 100, 900, 3000]),
                    "seconds": chance.choice([None, 0.5, 3.0, 40.0]), "id": len(actions),
                }
            )  # fmt: skip
    for name, events in (("shown", impressions), ("done", actions)):
        (folder / name).mkdir(parents=True)
        for day in range(5):
            of_day = [one for one in events if (one["time_s"] - BEGIN_S) // 86_400 == day]
            if of_day or day < 3:
                date = datetime.date(2024, 10, 4 + day)
                (folder / name / f"day={date}.jsonl").write_text(
                    "".join(json.dumps(one) + "\n" for one in of_day)
                )
    return impressions, actions


def known(shown: Event, actions: list[Event], until_s: float) -> Event:
    """What is known of an impression from its actions before `until_s`."""
    of_it = [
        one
        for one in actions
        if one["request_id"] == shown["request_id"] and one["time_s"] < until_s
    ]
    kinds = [one["kind"] for one in of_it]
    plays = [
        one["seconds"] for one in of_it if one["kind"] == "play" and one["seconds"] is not None
    ]
    clicked = float("click" in kinds)
    return {
        "click": clicked,
        "like": float("like" in kinds) if clicked else None,
        "watch": max(plays) if plays else None,
        "clicks": kinds.count("click"),
    }


def expected(shown: Event, impressions: list[Event], actions: list[Event]) -> dict[str, Any]:
    """The features of histories of an impression, worked out impression by impression."""
    cutoff = shown["time_s"] - 60
    result: dict[str, Any] = {}
    for prefix, key, window in (("user", "user_id", None), ("item_1000s", "item_id", 1000)):
        same = [one for one in impressions if one[key] == shown[key] and one["time_s"] < cutoff]
        begin = (cutoff - 1000) // 2 * 2 if window else -1
        result[f"{prefix}_shown"] = sum(begin <= one["time_s"] for one in same)
        for task in ("click", "like", "watch"):
            labels = [
                (known(one, actions, cutoff)[task], known(one, actions, max(begin, one["time_s"] * (begin <= one["time_s"])))[task], begin <= one["time_s"])
                for one in same
            ]  # fmt: skip
            # What was known already when the window began does not count in it.
            result[f"{prefix}_{task}"] = sum(
                (now or 0.0) - (0.0 if inside else before or 0.0) for now, before, inside in labels
            )
            if task != "click":
                result[f"{prefix}_{task}_seen"] = sum(
                    (now is not None) - (not inside and before is not None)
                    for now, before, inside in labels
                )
    for name, length, where in (
        ("clicked", 4, lambda of: of["click"]),
        ("twice", 4, lambda of: of["clicks"] == 2),
        ("shown", 3, lambda of: True),
    ):
        entries = []
        for one in impressions:
            if one["user_id"] != shown["user_id"] or one["time_s"] >= cutoff:
                continue
            times = sorted(
                {
                    one["time_s"],
                    *(a["time_s"] for a in actions if a["request_id"] == one["request_id"]),
                }
            )
            moments = [one["time_s"] + 0.0, *[time_s + 0.5 for time_s in times]]
            for moment in moments:
                # Before all actions, then after those of each time.
                of = known(one, actions, moment)
                if where(of):
                    since = int(moment)
                    tasks = [
                        task
                        for task in ("click", "like")
                        if (of[task] or 0) > 0 and not (name == "shown" and task == "like")
                    ]
                    token = ("+".join(tasks) or "none").encode()
                    if since < cutoff:
                        entries.append((since, one["time_s"], one["item_id"].encode(), token))
                    break
        last = sorted(entries, reverse=True)[:length]
        if last:
            result[f"{name}_item"] = [entry[2] for entry in last]
            if name != "shown":
                result[f"{name}_age"] = [
                    str((shown["time_s"] - entry[1]).bit_length()).encode() for entry in last
                ]
            if name != "twice":
                result[f"{name}_feedback"] = [entry[3] for entry in last]
    return result


def test_an_action_counts_from_its_own_time_and_days_go_on_from_each_other(tmp_path: Path) -> None:
    from pipeline.ingest.histories.history_steps import EarlierState
    from pipeline.ingest.histories.state import read_state

    of = spec()
    impressions, actions = event_logs(tmp_path / "logs")
    whole = Ingested(IngestSettings.from_spec(of), tmp_path / "logs", tmp_path / "whole")
    assert whole.summary.differences() == []
    derived = [name for name, field in of.fields.items() if field.history is not None]
    by_request = {one["request_key"][0].decode(): one for one in whole.features()}
    assert len(by_request) == len(impressions)
    for shown in impressions:
        found = by_request[shown["request_id"]]
        wanted = expected(shown, impressions, actions)
        assert {name: found.get(name) for name in derived} == {
            name: [value] if isinstance(value := wanted.get(name), float | int) else value
            for name in derived
        }
    parts, earlier = [], None
    for number in range(3):
        day = datetime.date(2024, 10, 4 + number)
        out = tmp_path / str(day)
        part = Ingested(IngestSettings.from_spec(of, day), tmp_path / "logs", out, earlier)
        parts += part.features()
        earlier = EarlierState(str(out / "histories"), read_state(str(out / "histories")))

    def content(features: list[dict[str, Any]]) -> list[str]:
        return sorted(repr(sorted(one.items())) for one in features)

    assert content(parts) == content(whole.features())
