"""The section on the check of the version in service, before the push."""

from __future__ import annotations

from typing import Any

from pipeline.report.data.run_data import RunData
from pipeline.report.elements.section import Cell, Note, Section, Table


def service_section(run: RunData) -> Section:
    """Return the section on whether the version answers rightly and in time."""
    blocks: list[Any] = []
    check = run.push_check
    if check is None:
        blocks.append(Note("Not checked: only a model that no task refuses is served on trial."))
    else:
        blocks += [Note(refusal, "bad") for refusal in check.refusals]
        if check.largest_difference is not None:
            compared = f"{check.compared_requests} requests over gRPC"
            text = (
                f"Scores of {compared} differ from the trainer's by "
                f"{check.largest_difference:.1g} at most."
            )
            blocks.append(
                Note(f"{text} The version carries {check.warmup_requests} warm-up requests.")
            )
        budget = check.latency_budget_ms
        blocks.append(
            Table(
                caption=f"Latency of ranking requests, budget {budget:g} ms for the p99",
                columns=["Candidates", "p50", "p99"],
                rows=[
                    [
                        f"{entry.candidates:,}",
                        f"{entry.p50:.1f} ms",
                        Cell(f"{entry.p99:.1f} ms", "bad" if entry.p99 > budget else "good"),
                    ]
                    for entry in check.latency_ms
                ],
            )
        )
    return Section(
        anchor="service",
        title="Served on trial",
        lead=(
            "Does the version answer rightly and in time? Before a push it is served on the "
            "pipeline's machine, and asked over gRPC with requests made of logged examples. 99 "
            "of 100 requests must take no longer than the budget."
        ),
        blocks=blocks,
    )
