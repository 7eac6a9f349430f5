"""Spoilt lines are spoilt in the way their kind says."""

from __future__ import annotations

import json
from collections import Counter

import numpy as np
import pytest

from pipeline.simulator.malformed import HUGE_LINE_BYTES, KINDS, spoil_lines, spoilt_line

LINE = b'{"user_id":"u1","video_id":"v1","duration_s":12.5,"play_s":3.25}'


def test_a_cut_line_is_not_json() -> None:
    with pytest.raises(json.JSONDecodeError):
        json.loads(spoilt_line(LINE, "cut_line"))


def test_a_line_of_wrong_encoding_is_not_utf_8() -> None:
    with pytest.raises(UnicodeDecodeError):
        spoilt_line(LINE, "wrong_encoding").decode()


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        ("wrong_type", {"play_s": "a while"}),
        ("negative_duration", {"duration_s": -3.0}),
        ("unknown_column", {"experiment": "b7"}),
        ("huge_line", {"stack_trace": "x" * HUGE_LINE_BYTES}),
    ],
)
def test_a_spoilt_line_differs_in_one_value(kind: str, change: dict[str, object]) -> None:
    assert json.loads(spoilt_line(LINE, kind)) == json.loads(LINE) | change


def test_a_line_with_a_missing_key_has_no_user() -> None:
    assert "user_id" not in json.loads(spoilt_line(LINE, "missing_key"))


def test_a_nan_line_holds_a_bare_nan() -> None:
    assert b'"play_s":NaN' in spoilt_line(LINE, "nan")


def test_an_empty_line_is_empty() -> None:
    assert spoilt_line(LINE, "empty") == b""


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="cut_line.*Received: 'burnt'"):
        spoilt_line(LINE, "burnt")


def _lines(count: int) -> list[bytes]:
    return [LINE.replace(b"u1", f"u{number}".encode()) for number in range(count)]


def test_the_kinds_have_equal_shares() -> None:
    spoilt = spoil_lines(_lines(1000), 0.05, np.random.default_rng(0))
    assert Counter(spoilt.values()) == dict.fromkeys(KINDS, 5)


def test_only_the_reported_lines_differ() -> None:
    lines = _lines(1000)
    spoilt = spoil_lines(lines, 0.3, np.random.default_rng(0))
    assert {
        at for at, (old, new) in enumerate(zip(_lines(1000), lines, strict=True)) if old != new
    } == set(spoilt)


def test_a_duplicate_repeats_an_earlier_whole_line() -> None:
    lines = _lines(1000)
    spoilt = spoil_lines(lines, 0.9, np.random.default_rng(0))
    whole = [line for at, line in enumerate(_lines(1000)) if at not in spoilt]
    for at, kind in spoilt.items():
        if kind == "duplicate":
            assert lines[at] in whole
            assert lines.index(lines[at]) < at


def test_one_line_alone_stays_whole() -> None:
    lines = _lines(1)
    assert spoil_lines(lines, 0.99, np.random.default_rng(0)) == {}
    assert lines == _lines(1)
