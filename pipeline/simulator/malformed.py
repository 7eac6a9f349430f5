"""Faults of simulated log lines: ten ways in which lines go wrong in practice."""

from __future__ import annotations

import json

import numpy as np

# More than `max_line_bytes` of the ready spec `short_video`.
HUGE_LINE_BYTES = 50_000

KINDS = (
    "cut_line", "wrong_type", "missing_key", "negative_duration", "nan",
    "wrong_encoding", "empty", "huge_line", "unknown_column", "duplicate",
)  # fmt: skip
# A column that nobody reads does no harm.
USABLE_KINDS = frozenset({"unknown_column"})


def spoil_lines(lines: list[bytes], share: float, rng: np.random.Generator) -> dict[int, str]:
    """Spoil a share of the lines in place.

    Args:
        lines: JSON lines without line ends.
        share: the share of lines to spoil. The first line stays whole, so that there is always a
            line to duplicate.
        rng: chooses the lines.

    Returns:
        the kind of each spoilt line, by its index.
    """
    count = min(round(share * len(lines)), len(lines) - 1)
    # NumPy refuses to choose from nothing.
    positions = (
        np.sort(rng.choice(np.arange(1, len(lines)), size=count, replace=False)).tolist()
        if count
        else []
    )
    kinds = [KINDS[number % len(KINDS)] for number in range(count)]
    rng.shuffle(kinds)
    spoilt = dict(zip(positions, kinds, strict=True))
    whole = 0
    for position in range(len(lines)):
        if position not in spoilt:
            whole = position
        elif spoilt[position] == "duplicate":
            lines[position] = lines[whole]
        else:
            lines[position] = spoilt_line(lines[position], spoilt[position])
    return spoilt


def spoilt_line(line: bytes, kind: str) -> bytes:
    """Spoil one JSON line of an exposure in a way of `KINDS` other than `duplicate`.

    Raises:
        ValueError: there is no such kind.
    """
    if kind == "cut_line":
        return line[: len(line) // 2]
    if kind == "empty":
        return b""
    record = json.loads(line)
    if kind == "wrong_type":
        record["play_s"] = "a while"
    elif kind == "missing_key":
        del record["user_id"]
    elif kind == "negative_duration":
        record["duration_s"] = -3.0
    elif kind == "nan":
        record["play_s"] = float("nan")
    elif kind == "wrong_encoding":
        return line[:-1] + b',"device_name":"caf\xe9"}'
    elif kind == "huge_line":
        record["stack_trace"] = "x" * HUGE_LINE_BYTES
    elif kind == "unknown_column":
        record["experiment"] = "b7"
    else:
        raise ValueError(f"`kind` should be one of {', '.join(KINDS)}. Received: {kind!r}")
    return json.dumps(record, separators=(",", ":")).encode()
