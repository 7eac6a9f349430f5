"""A spec with histories, random logs, and its histories counted line by line."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from feature_spec.artifacts.history_state import HistoryState
from feature_spec.histories.history_values import history_key
from feature_spec.spec import FeatureSpec
from serving.histories.history_event import HistoryEvent

SPEC = """
name: toy_histories
keys: {user: user, item: video, event_time: {column: time_ms, unit: ms, timezone: Asia/Shanghai}}
logs:
  exposures: {path: "*.jsonl", format: jsonl}
  tables: {videos: {path: videos.jsonl, format: jsonl, key: video}}
split: {evaluation_days: 1}
histories:
  known_after_s: 600
  counts:
    user: {by: [user_id]}
    video: {by: [video_id], windows_s: [3600, 86400]}
    user_author: {by: [user_id, author_id], tasks: [click, ratio]}
    tag_hour: {by: [tags, hour], tasks: [long]}
  sequences:
    clicked:
      by: user_id
      where: {event: is_click}
      fields: [video_id, author_id, tags]
      max_length: 5
      feedback: [long, click]
    seen: {by: [user_id, hour], fields: [video_id], max_length: 3, age: false}
fields:
  user_id: {side: user, kind: categorical, column: user}
  hour: {side: context, kind: categorical}
  video_id: {side: item, kind: categorical, column: video}
  tags: {side: item, kind: multi_categorical}
  quality: {side: item, kind: numeric, minimum: 0}
  author_id: {side: item, kind: categorical, table: videos}
tasks:
  click: {kind: binary, label: {rule: event, column: is_click}, metric: auc, threshold: 0.5, tolerance: 0.1}
  long: {kind: binary, label: {rule: at_least, column: play_s, threshold: 5}, sample_space: {event: is_click}, metric: auc, threshold: 0.5, tolerance: 0.1}
  ratio: {kind: regression, label: {rule: ratio, numerator: play_s, denominator: length_s, clip: 2}, metric: mse, threshold: 1.0, tolerance: 0.1}
ranking_formula: {weights: {click: 1.0}}
"""
BEGIN_US = 1_700_000_000_000_000


def random_exposures(seed: int, number: int = 300, seconds: int = 200_000) -> list[dict]:
    """Lines of a log with few users and videos, some values missing, some times equal."""
    draw = random.Random(seed)
    lines = []
    for _ in range(number):
        video = draw.randrange(6)
        lines.append(
            {
                "time_ms": BEGIN_US // 1000 + draw.randrange(seconds * 4) * 250,
                "user": f"u{draw.randrange(3)}",
                "video": f"v{video}",
                "author": None if video == 5 else f"a{video % 2}",
                "hour": draw.choice(["8", "9", None]),
                "tags": draw.choice([["x", "y"], ["y"], [], None]),
                "is_click": draw.choice([0, 1, None]),
                "play_s": draw.choice([None, 0, 3.25, 7.5]),
                "length_s": draw.choice([None, 0, 3, 10]),
            }
        )
    return sorted(lines, key=lambda line: line["time_ms"])


def labels_of(line: dict) -> dict[str, float | None]:
    click = 1.0 if line["is_click"] else 0.0
    play, length = line["play_s"], line["length_s"]
    long = None if not line["is_click"] or play is None else float(play >= 5)
    ratio = None if play is None or not length else min(play / length, 2.0)
    return {"click": click, "long": long, "ratio": ratio}


def expected_features(lines: list[dict], asked: dict, at_us: int) -> dict:
    """The fields of one candidate by a loop over all lines; numbers as float32 would hold them."""

    def first(tags):
        return tags[0] if tags else None

    def values(line):
        return {**line, "tag": first(line["tags"])}

    cutoff = (at_us - 600_000_000) // 8_000_000 * 8_000_000
    known = [line for line in lines if line["time_ms"] * 1000 < cutoff]
    own = values(asked)
    result = {}

    def count(prefix, by, tasks, begin=None):
        some = [
            line
            for line in known
            if all(values(line)[key] == own[key] for key in by)
            and (begin is None or line["time_ms"] * 1000 >= begin)
        ]
        has_key = all(own[key] is not None for key in by)
        result[f"{prefix}_shown"] = float(len(some)) if has_key else None
        for task in tasks:
            labels = [labels_of(line)[task] for line in some]
            there = [label for label in labels if label is not None]
            if task != "click":
                result[f"{prefix}_{task}_seen"] = float(len(there)) if has_key else None
            units = sum(round(label * 65536) for label in there)
            result[f"{prefix}_{task}"] = float(np.float32(units / 65536)) if has_key else None

    count("user", ["user"], ["click", "long", "ratio"])
    count("user_author", ["user", "author"], ["click", "ratio"])
    count("tag_hour", ["tag", "hour"], ["long"])
    # 3600 / 64 = 56 → steps of 32 s; 86400 / 64 = 1350 → steps of 1024 s.
    for name, window, step in (("1h", 3600, 32), ("1d", 86400, 1024)):
        begin = (cutoff - window * 1_000_000) // (step * 1_000_000) * (step * 1_000_000)
        count(f"video_{name}", ["video"], ["click", "long", "ratio"], begin)

    def feedback(line):
        labels = labels_of(line)
        return "+".join(task for task in ("click", "long") if (labels[task] or 0) > 0) or "none"

    def newest(by, where, texts, length):
        if any(own[key] is None for key in by):
            return []
        some = [line for line in known if where(line) and all(line[key] == own[key] for key in by)]
        rows = [(line["time_ms"], tuple(t.encode() for t in texts(line))) for line in some]
        return sorted(rows, reverse=True)[:length]

    clicked = newest(
        ["user"],
        lambda line: line["is_click"],
        lambda line: (line["video"], line["author"] or "", first(line["tags"]) or "", feedback(line)),
        5,
    )  # fmt: skip
    seen = newest(["user", "hour"], lambda line: True, lambda line: (line["video"],), 3)
    for position, name in enumerate(["video_id", "author_id", "tags", "feedback"]):
        result[f"clicked_{name}"] = [texts[position].decode() for _, texts in clicked]
    ages = [(at_us - time_ms * 1000) // 1_000_000 for time_ms, _ in clicked]
    result["clicked_age"] = [str(age.bit_length()) for age in ages]
    result["seen_video_id"] = [texts[0].decode() for _, texts in seen]
    return result


def request_of(line: dict) -> tuple[dict, dict, dict]:
    """The user, the context and the candidate of a line."""
    return (
        {"user_id": line["user"]},
        {"hour": line["hour"]},
        {"video_id": line["video"], "author_id": line["author"], "tags": line["tags"]},
    )


def event_of(line: dict, identity: object) -> HistoryEvent:
    """The event of a line of the log; the author is the side table's."""
    columns = {name: value for name, value in line.items() if name != "author"}
    return HistoryEvent(columns=columns, fields={"author_id": line["author"]}, id=str(identity))


def answer(store, line: dict, at_us: int) -> dict:
    """What a store says of the user and the one candidate of a line."""
    user, context, candidate = request_of(line)
    values = store.features(user, context, [candidate], at_us)
    return {**values.user, **values.context, **values.candidate(0)}


def write_state(folder: Path, spec: FeatureSpec, lines: list[dict]) -> None:
    """Write the state after some lines of the log, a row an exposure, in two files a history."""
    until_us = max(line["time_ms"] for line in lines) * 1000

    def first(tags):
        return tags[0] if tags else None

    def key(*texts):
        return None if None in texts else history_key([text.encode() for text in texts])

    def units(label):
        return 0 if label is None else round(label * 65536)

    counts = {
        "user": (lambda line: key(line["user"]), ["click", "long", "ratio"]),
        "video": (lambda line: key(line["video"]), ["click", "long", "ratio"]),
        "user_author": (lambda line: key(line["user"], line["author"]), ["click", "ratio"]),
        "tag_hour": (lambda line: key(first(line["tags"]), line["hour"]), ["long"]),
    }
    for name, (key_of, tasks) in counts.items():
        rows = []
        for line in lines:
            labels = labels_of(line)
            seen = {f"seen.{task}": int(labels[task] is not None) for task in tasks if task != "click"}  # fmt: skip
            sums = {f"sum.{task}": units(labels[task]) for task in tasks}
            rows.append(
                {"key": key_of(line), "time_us": line["time_ms"] * 1000, "shown": 1, **seen, **sums}
            )
        _write_parts(folder / "counts", name, rows, ["time_us"])
    entries = []
    seen_entries = []
    for line in lines:
        labels = labels_of(line)
        times = {"known_us": line["time_ms"] * 1000, "event_time_us": line["time_ms"] * 1000}
        feedback = [task for task in ("click", "long") if (labels[task] or 0) > 0]
        if line["is_click"]:
            values = {
                "value.video_id": line["video"].encode(),
                "value.author_id": line["author"] and line["author"].encode(),
                "value.tags": first(line["tags"]) and first(line["tags"]).encode(),
                "value.feedback": ("+".join(feedback) or "none").encode(),
            }
            entries.append({"key": key(line["user"]), **times, **values})
        seen_key = key(line["user"], line["hour"])
        seen_entries.append({"key": seen_key, **times, "value.video_id": line["video"].encode()})
    _write_parts(folder / "sequences", "clicked", entries, ["known_us", "event_time_us"])
    _write_parts(folder / "sequences", "seen", seen_entries, ["known_us", "event_time_us"])
    state = HistoryState(
        digest=spec.history_digest,
        parts=spec.history_parts,
        until_us=until_us,
        exposures=len(lines),
    )
    (folder / "histories.json").write_text(state.model_dump_json())


def _write_parts(folder: Path, name: str, rows: list[dict], by: list[str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    kept = [row for row in rows if row["key"] is not None]
    for part in range(2):
        own = [row for row in kept if row["key"][-1] % 2 == part]
        ordered = sorted(own, key=lambda row: (row["key"], *(row[column] for column in by)))
        columns = list(rows[0]) if rows else ["key"]
        table = pa.table({column: [row[column] for row in ordered] for column in columns})
        pq.write_table(table, folder / f"{name}-{part:05d}-of-00002.parquet")
