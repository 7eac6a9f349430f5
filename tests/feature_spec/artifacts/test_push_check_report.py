"""The report of the check before a push, as JSON."""

from __future__ import annotations

import json

import pytest

from feature_spec.artifacts.push_check_report import PushCheckReport

CONTENT = {
    "refusals": ["the latency is above the budget: 12 ms × 2"],
    "warmup_requests": 5,
    "compared_requests": 16,
    "largest_difference": 2.4e-07,
    "latency_ms": [{"candidates": 1, "p50": 1.16, "p99": 1.94}],
    "latency_budget_ms": 250.0,
}


@pytest.mark.parametrize("difference", [2.4e-07, 1e-07, float("inf"), None])
def test_a_report_keeps_its_layout_and_can_be_read_again(difference: float | None) -> None:
    content = CONTENT | {"largest_difference": difference}
    report = PushCheckReport.model_validate(content)
    assert report.to_json() == json.dumps(content, indent=1)
    assert PushCheckReport.from_json(report.to_json()) == report
