"""The section with the outcome at a glance."""

from __future__ import annotations

from typing import Any

from pipeline.ingest.accounting.limits import SourceLines
from pipeline.report.data.run_data import RunData
from pipeline.report.elements.section import Alerts, Cell, Facts, Note, Section
from pipeline.report.sections.alerts import alerts
from pipeline.report.sections.tasks import verdict_table


def summary_section(run: RunData) -> Section:
    """Return the section on the outcome, the reasons, and the alerts."""
    blocks: list[Any] = [outcome_note(run), Facts(facts=_facts(run))]
    found = alerts(run)
    blocks.append(
        Alerts(alerts=found)
        if found
        else Note("Nothing stands out: no refusal, no loss beyond noise, no anomaly.", "good")
    )
    if run.evaluation is not None:
        blocks.append(verdict_table(run))
    return Section(
        anchor="summary",
        title="What this run came to",
        lead=(
            "Was the model pushed, and if not, why? Below the outcome stands what deserves a "
            "look, worst first, and then what blessing looks at, a row a task."
        ),
        blocks=blocks,
    )


def outcome_note(run: RunData) -> Note:
    """Return the outcome in one sentence."""
    if run.failure is not None:
        pushed = (
            "Nothing was pushed"
            if run.version is None
            else f"The model had been pushed as version {run.version} before"
        )
        return Note(f"Failed in {run.failure.component}: {run.failure.cause}. {pushed}.", "bad")
    if run.version is not None:
        in_service = ", and it answers rightly and in time" if run.push_check is not None else ""
        return Note(
            f"Blessed, and pushed as version {run.version}: no task refuses the model{in_service}.",
            "good",
        )
    if run.outcome == "superseded":
        return Note("Blessed, but not pushed: the newest version is of a later day.", "good")
    if len(run.refusals) == 1:
        return Note(f"Refused, so nothing was pushed: {run.refusals[0]}.", "bad")
    refusing = (
        [verdict.task for verdict in run.evaluation.tasks if verdict.refusals]
        if run.evaluation is not None
        else []
    )
    refusing += ["the check in service"] * bool(run.push_check and run.push_check.refusals)
    return Note(
        f"Refused, so nothing was pushed, by {', '.join(refusing)}. The reasons stand below.", "bad"
    )


def _facts(run: RunData) -> list[tuple[str, str | Cell]]:
    facts: list[tuple[str, str | Cell]] = [
        ("Spec", run.spec),
        ("Model", run.model or "–"),
        ("Began", run.began_text),
    ]
    if run.evaluation is not None:
        passed = sum(not verdict.refusals for verdict in run.evaluation.tasks)
        of = len(run.evaluation.tasks)
        facts.append(("Tasks passed", Cell(f"{passed} of {of}", "good" if passed == of else "bad")))
    if run.ingestion is not None:
        of_all = SourceLines.together(run.ingestion.by_source.values())
        facts.append(("Lines of all sources", f"{of_all.lines:,}"))
        facts.append(("Rejected", f"{of_all.rejected_share:.2%}"))
        facts.append(("Evaluation examples", f"{run.ingestion.examples.get('evaluation', 0):,}"))
    facts.append(("Spec fingerprint", run.fingerprint or "–"))
    return facts
