"""Simulated feedback as event logs: impressions and actions as two streams."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from pipeline.simulator.malformed import spoilt_line

# The attribution window of the ready spec `short_video_events`.
WINDOW_S = 86_400
# Columns that are not known at the time of an impression.
_FEEDBACK = ("clicked", "played", "play_s", "shared", "commented")
IMPRESSION_FAULTS = (
    "cut_line",
    "missing_key",
    "negative_duration",
    "wrong_encoding",
    "empty",
    "huge_line",
    "duplicate",
)
ACTION_FAULTS = (
    "cut_line",
    "missing_key",
    "wrong_encoding",
    "empty",
    "huge_line",
    "duplicate",
    "late",
    "orphan",
)

Columns = dict[str, list[Any]]


def impression_columns(columns: Columns) -> Columns:
    """Turn the columns of exposures into columns of impressions, with an id of each event."""
    ids = [
        f"{request}-{video}"
        for request, video in zip(columns["request_id"], columns["video_id"], strict=True)
    ]
    return {"event_id": ids} | {
        name: values for name, values in columns.items() if name not in _FEEDBACK
    }


def action_columns(columns: Columns) -> Columns:
    """Turn the columns of exposures into columns of actions, in order of time.

    A click follows its impression after 1 s; the other actions follow the end of the play.
    """
    actions = []
    read = ("request_id", "user_id", "video_id", "time_ms", *_FEEDBACK)
    for request, user, video, time_ms, clicked, played, play_s, shared, commented in zip(
        *(columns[name] for name in read), strict=True
    ):
        after_ms = time_ms + 1000 + round(play_s * 1000)
        for kind, happened, at_ms in (
            ("click", clicked, time_ms + 1000),
            ("play", played, after_ms),
            ("share", shared, after_ms + 1000),
            ("comment", commented, after_ms + 2000),
        ):
            if happened:
                actions.append(
                    (
                        at_ms,
                        f"{request}-{video}-{kind}",
                        request,
                        user,
                        video,
                        kind,
                        play_s if kind == "play" else None,
                    )
                )
    actions.sort()
    names = ("time_ms", "event_id", "request_id", "user_id", "video_id", "action", "watch_s")
    return dict(
        zip(
            names,
            map(list, zip(*actions, strict=True)) if actions else ([] for _ in names),
            strict=True,
        )
    )


def with_faults(
    lines: list[bytes], share: float, kinds: tuple[str, ...], rng: np.random.Generator
) -> tuple[list[bytes], list[str]]:
    """Add spoilt copies of lines among the whole ones, whose truth stays as it is.

    Args:
        lines: JSON lines of an event log.
        share: the share of added lines among all lines in the end.
        kinds: the kinds of faults, which get equal parts.
        rng: chooses lines and places.

    Returns:
        the lines in order, and the kind of each fault.
    """
    count = round(share * len(lines) / (1 - share)) if lines else 0
    added = [kinds[number % len(kinds)] for number in range(count)]
    sources = rng.integers(len(lines), size=count).tolist() if count else []
    # A copy stands anywhere, also before the line that it copies.
    places = np.concatenate([np.arange(len(lines)), rng.random(count) * len(lines)])
    together = [
        *lines,
        *(
            _fault(lines[source], kind, number)
            for number, (source, kind) in enumerate(zip(sources, added, strict=True))
        ),
    ]
    return [together[position] for position in np.argsort(places, kind="stable").tolist()], added


def _fault(line: bytes, kind: str, number: int) -> bytes:
    if kind == "duplicate":
        return line
    if kind not in ("late", "orphan", "missing_key", "negative_duration"):
        return spoilt_line(line, kind)
    # An event of its own, to which nothing else belongs.
    record = json.loads(line)
    record["event_id"] = f"{kind}-{number}-{record['event_id']}"
    if kind == "late":
        record["time_ms"] += 2 * WINDOW_S * 1000
    else:
        record["video_id"] = f"unknown of {kind}"
    if kind == "missing_key":
        del record["request_id"]
    elif kind == "negative_duration":
        record["duration_s"] = -3.0
    return json.dumps(record, separators=(",", ":")).encode()
