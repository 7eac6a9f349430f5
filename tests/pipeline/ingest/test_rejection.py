"""Rejected lines are reported in full."""

from __future__ import annotations

import json
import pickle

from pipeline.ingest.rejection import Reason, RejectedLine, UnusableLineError


def test_an_entry_is_one_line_of_json() -> None:
    entry = json.loads(RejectedLine("day0.csv", 7, Reason.MALFORMED, "cut", b"a,b").to_json())
    assert entry == {"source": "day0.csv", "line": 7, "reason": "malformed", "detail": "cut", "raw": "a,b"}


def test_bytes_that_are_not_utf_8_appear_as_escapes() -> None:
    assert json.loads(RejectedLine("f", 1, Reason.WRONG_ENCODING, "", b"caf\xe9").to_json())["raw"] == "caf\\xe9"


def test_half_of_a_surrogate_pair_can_be_written() -> None:
    assert json.loads(RejectedLine("f", 1, Reason.WRONG_ENCODING, "received '\ud800'", b"").to_json().encode())


def test_long_lines_and_details_are_cut() -> None:
    assert len(RejectedLine("f", 1, Reason.MALFORMED, "d" * 10_000, b"x" * 10_000).to_json()) < 1200


def test_an_unusable_line_can_be_sent_between_workers() -> None:
    error = pickle.loads(pickle.dumps(UnusableLineError(Reason.MALFORMED, "cut")))
    assert (error.reason, error.detail) == (Reason.MALFORMED, "cut")
