"""A load test's summary as tables."""

from __future__ import annotations

import math

from rich import box
from rich.table import Table

from serving.loadtest.load_test import LoadTestReport
from serving.loadtest.summary import Distribution, Summary

_GENERATOR_WAS_THE_LIMIT = (
    "The generator was the limit: 1 request in 100 was sent {lag} late or more, and {not_sent} "
    "were never sent. The latencies "
    "include that. Give the generator a core of its own, or share the rate among several machines."
)


def heading(report: LoadTestReport) -> str:
    """Describe the server and the load in one line."""
    return (
        f"{report.settings.target}: {report.model}, version {report.version}; "
        f"{_range(*report.candidates)} candidates and {_range(*report.request_bytes)} bytes a "
        "request"
    )


def counts_table(summary: Summary) -> Table:
    """Make a table of the number of requests that came to each end, and the rates."""
    table = Table(title="Requests", title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("")
    table.add_column("number", justify="right")
    table.add_column("a second", justify="right")
    table.add_row("scheduled", f"{summary.scheduled:,}", f"{summary.scheduled_rate:,.1f}")
    if summary.not_sent:
        table.add_row("never sent", f"{summary.not_sent:,}", "")
    table.add_row("sent", f"{summary.sent:,}", f"{summary.sent_rate:,.1f}")
    table.add_row("answered", f"{summary.answered:,}", f"{summary.answered_rate:,.1f}")
    for code, count in summary.failed.items():
        table.add_row(f"failed: {code}", f"{count:,}", "")
    table.add_row("unanswered", f"{summary.unanswered:,}", "")
    return table


def latency_table(summary: Summary) -> Table:
    """Return the percentiles of latency, service time and lag in milliseconds."""
    table = Table(title="Milliseconds", title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("")
    for heading in ("p50", "p90", "p99", "p99.9", "max"):
        table.add_column(heading, justify="right")
    table.add_row("latency, from when it was due", *_percentiles(summary.latency), style="bold")
    table.add_row("service time, from when it was sent", *_percentiles(summary.service_time))
    table.add_row("lag of the generator", *_percentiles(summary.lag))
    return table


def warning(summary: Summary) -> str | None:
    """Return a warning about the numbers; None if there is nothing to warn of."""
    if not summary.generator_was_the_limit:
        return None
    return _GENERATOR_WAS_THE_LIMIT.format(
        lag=f"{_milliseconds(summary.lag.p99_ms)} ms", not_sent=f"{summary.not_sent:,}"
    )


def _percentiles(values: Distribution) -> list[str]:
    return [
        _milliseconds(v)
        for v in (values.p50_ms, values.p90_ms, values.p99_ms, values.p99_9_ms, values.max_ms)
    ]


def _milliseconds(value: float) -> str:
    if math.isinf(value):
        return "no answer"
    return "–" if math.isnan(value) else f"{value:,.2f}"


def _range(low: int, high: int) -> str:
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"
