"""Skips are allowed for reasons on a list alone."""

from __future__ import annotations

import pytest

from tests.conftest import ALLOWED_SKIPS, refuse_other_skips


def skipped(reason: str) -> pytest.TestReport:
    place = ("tests/test_x.py", 7, "test_x")
    return pytest.TestReport(
        "test_x", place, {}, "skipped", ("x.py", 7, f"Skipped: {reason}"), "call"
    )


@pytest.mark.parametrize("reason", ALLOWED_SKIPS)
def test_a_skip_for_a_reason_on_the_list_stays_one(reason):
    report = skipped(f"{reason}: and where")
    refuse_other_skips(report)
    assert report.skipped


def test_a_skip_for_another_reason_fails_and_says_which():
    report = skipped("too tired")
    refuse_other_skips(report)
    assert report.failed
    assert "too tired" in report.longrepr
    assert "ALLOWED_SKIPS" in report.longrepr


def test_an_expected_failure_is_no_skip():
    report = skipped("too tired")
    report.wasxfail = "reason: a known bug"
    refuse_other_skips(report)
    assert report.skipped
