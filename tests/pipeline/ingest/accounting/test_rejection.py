"""Rejected lines are reported in full."""

from __future__ import annotations

import pickle

from pipeline.ingest.accounting.rejection import (
    REJECTED_SCHEMA,
    Reason,
    RejectedLine,
    UnusableLineError,
    rejected_table,
)


def _row(reason: Reason, detail: str, raw: bytes) -> dict[str, str]:
    table = rejected_table([RejectedLine("f", 1, reason, detail, raw)])
    assert table.schema == REJECTED_SCHEMA
    return table.to_pylist()[0]


def test_a_line_is_a_row_of_one_schema() -> None:
    row = rejected_table([RejectedLine("day0.csv", 7, Reason.MALFORMED, "cut", b"a,b")]).to_pylist()
    assert row == [
        {"source": "day0.csv", "offset": 7, "reason": "malformed", "detail": "cut", "raw": "a,b"}
    ]


def test_bytes_that_are_not_utf_8_appear_as_escapes() -> None:
    assert _row(Reason.WRONG_ENCODING, "", b"caf\xe9")["raw"] == "caf\\xe9"


def test_half_of_a_surrogate_pair_can_be_written() -> None:
    assert _row(Reason.WRONG_ENCODING, "received '\ud800'", b"")["detail"] == "received '\\ud800'"


def test_long_lines_and_details_are_cut() -> None:
    row = _row(Reason.MALFORMED, "d" * 10_000, b"x" * 10_000)
    assert (len(row["detail"]), len(row["raw"])) == (500, 500)


def test_an_unusable_line_can_be_sent_between_workers() -> None:
    error = pickle.loads(pickle.dumps(UnusableLineError(Reason.MALFORMED, "cut")))
    assert (error.reason, error.detail) == (Reason.MALFORMED, "cut")
