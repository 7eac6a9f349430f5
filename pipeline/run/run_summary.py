"""The summary of a run, for people and for programs."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from rich.console import Console
from rich.table import Table
from rich.text import Text

from feature_spec.artifacts.push_check_report import PushCheckReport
from feature_spec.tasks.evidence import examples_text
from pipeline.evaluate.default_limits import proposed_limits
from pipeline.evaluate.evaluation_result import Measurement, TaskVerdict, change_text, number_text
from pipeline.evaluate.task_gains import MtlGains, gains_table, gains_text
from pipeline.ingest.accounting.accounts import log_account, other_accounts
from pipeline.ingest.accounting.summary import IngestSummary
from pipeline.run.tuning_result import TuningResult, tuning_text
from pipeline.runner.progress import memory_text
from pipeline.spans.span_window import SpanWindow
from pipeline.validate.distribution_shift import DriftResult, shifts_table

RunStatus = Literal["pushed", "superseded", "refused", "failed"]


@dataclass(frozen=True, kw_only=True)
class NodeFailure:
    """The failure of a node, as in `pipeline.runner.node_errors.NodeFailedError`.

    Attributes:
        node: the name of the node.
        cause: the reason, in one line.
        details: further lines; often empty.
    """

    node: str
    cause: str
    details: str


@dataclass(frozen=True, kw_only=True)
class ComponentRun:
    """One component of a run.

    Attributes:
        node: the name of the component.
        state: `done` or `cached`.
        elapsed_s: wall time in seconds.
        peak_memory_bytes: the largest resident memory of the process during the component.
    """

    node: str
    state: str
    elapsed_s: float
    peak_memory_bytes: int


@dataclass(frozen=True, kw_only=True)
class RunSummary:
    """The result of `fulcrum run`. A part is None or empty if the run did not get so far.

    Attributes:
        status: `pushed`: the model is blessed and a version, the newest unless there is one of a
            later day; `superseded`: the model is blessed, but not pushed because the newest version
            is of a later day; `refused`: the model is not blessed, or failed the check before the
            push; `failed`: a node failed.
        spec: the name of the spec.
        fingerprint: the fingerprint of the spec.
        ingestion: counts of what became of every line of the logs.
        drift: drift of the examples since the last run that pushed a model; None without
            thresholds.
        tuning: the result of the search for settings; None unless asked for.
        tasks: the verdict of each task.
        ranking: NDCG of the ranking score by slice, the whole split first; empty where the spec
            does not ask for NDCG.
        baseline_note: a sentence about comparisons with the blessed model that were impossible, or
            "".
        mtl_gain: the gain of each task from the others; None unless asked for.
        push_check: the report of the check before the push.
        version: the version in the serving folder that is this model; None unless pushed.
        newly_pushed: whether this run published the version; if not, it was there before.
        components: the nodes that ended well, in order.
        elapsed_s: wall time of the whole command in seconds.
        log: the file with everything that libraries printed.
        failure: the failure of a node; None unless `status` is `failed`.
        span: the days of a run by span; None in other runs.
        warnings: sentences on what may spoil the model and stopped nothing.
        report: the file of the report; None if the run did not get so far.
    """

    status: RunStatus
    spec: str
    fingerprint: str
    ingestion: IngestSummary | None
    drift: DriftResult | None
    tuning: TuningResult | None
    tasks: list[TaskVerdict]
    ranking: list[Measurement]
    baseline_note: str
    mtl_gain: MtlGains | None
    push_check: PushCheckReport | None
    version: int | None
    newly_pushed: bool
    components: list[ComponentRun]
    elapsed_s: float
    log: str
    failure: NodeFailure | None = field(default=None)
    span: SpanWindow | None = field(default=None)
    warnings: list[str] = field(default_factory=list)
    report: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the summary as a dictionary for JSON."""
        return asdict(self) | {
            "ingestion": self.ingestion.model_dump(mode="json") if self.ingestion else None,
            "push_check": self.push_check.model_dump() if self.push_check is not None else None,
            "span": self.span.model_dump(mode="json") if self.span is not None else None,
        }


def print_summary(summary: RunSummary, console: Console) -> None:
    """Print tables, and the outcome in words."""
    console.print(_components_table(summary))
    if summary.span is not None:
        console.print(Text(summary.span.text.capitalize()), soft_wrap=True)
    if summary.ingestion is not None:
        console.print(_rows_text(summary.ingestion), soft_wrap=True)
    for warning in summary.warnings:
        console.print(Text(f"Warning: {warning}", style="yellow"), soft_wrap=True)
    if summary.drift is not None:
        console.print(_drift_text(summary.drift))
    if summary.tuning is not None:
        console.print(Text(tuning_text(summary.tuning)), soft_wrap=True)
    if summary.tasks:
        console.print(_tasks_table(summary))
        console.print(_proposals_text(summary.tasks), end="", soft_wrap=True)
    if summary.ranking:
        console.print(_ranking_text(summary.ranking[0]), soft_wrap=True)
    if summary.baseline_note:
        console.print(Text(summary.baseline_note), soft_wrap=True)
    if summary.mtl_gain is not None:
        console.print(gains_table(summary.mtl_gain))
        console.print(gains_text(summary.mtl_gain), soft_wrap=True)
    if summary.push_check is not None and summary.push_check.latency_ms:
        console.print(_push_check_text(summary.push_check), soft_wrap=True)
    console.print(outcome_text(summary), soft_wrap=True)
    if summary.report is not None:
        console.print(Text(f"Report: {summary.report}"), soft_wrap=True)


def _components_table(summary: RunSummary) -> Table:
    table = Table("component", "state", title="Components")
    table.add_column("time", justify="right")
    table.add_column("peak memory", justify="right")
    for run in summary.components:
        table.add_row(
            run.node, run.state, f"{run.elapsed_s:.1f} s", memory_text(run.peak_memory_bytes)
        )
    peak = max((run.peak_memory_bytes for run in summary.components), default=0)
    table.add_section()
    table.add_row("whole run", "", f"{summary.elapsed_s:.1f} s", memory_text(peak))
    return table


def _rows_text(ingestion: IngestSummary) -> Text:
    lines = [log_account(ingestion), *other_accounts(ingestion)]
    if unreadable := ingestion.unreadable_files:
        # Lines after the damage cannot be counted, so no share of rejected lines shows them.
        lines.append(f"could not be read to their end: {', '.join(unreadable)}")
    return Text("\n".join(lines))


def _tasks_table(summary: RunSummary) -> Table:
    table = Table("task", title="Evaluation, each task on its own sample space")
    for column in (
        "examples",
        "metric",
        "blessed model",
        "change (95 % interval)",
        "threshold",
        "tolerance",
    ):
        table.add_column(column, justify="right")
    table.add_column("verdict")
    for verdict in summary.tasks:
        table.add_row(
            verdict.task,
            examples_text(verdict.example_count, verdict.positive_count),
            f"{verdict.metric} {number_text(verdict.value)}",
            number_text(verdict.baseline_value),
            change_text(verdict.change),
            verdict.threshold_text,
            verdict.tolerance_text,
            Text(verdict.outcome, style="dim" if verdict.outcome == verdict.too_few else ""),
        )
        for part in verdict.slices:
            if part.name in verdict.protected:
                value, blessed = (
                    values.get(verdict.metric) for values in (part.metrics, part.baseline)
                )
                table.add_row(
                    f"  {part.name}",
                    examples_text(part.example_count, part.positive_count),
                    number_text(value.value if value else None),
                    number_text(blessed.value if blessed else None),
                    change_text(part.changes.get(verdict.metric)),
                )
    return table


def _proposals_text(verdicts: list[TaskVerdict]) -> Text:
    """Return the limits to write into the spec, one line a task that has none; "" without any."""
    lines = []
    for verdict in verdicts:
        limits = ", ".join(f"{name}: {value:g}" for name, value in proposed_limits(verdict).items())
        if limits:
            lines.append(f"  {verdict.task}: {{{limits}}}\n")
    head = "To hold later models to this one, write below these tasks in the spec:\n"
    return Text("".join([head, *lines]) if lines else "")


def _ranking_text(measured: Measurement) -> Text:
    parts = []
    for metric, estimate in measured.metrics.items():
        blessed = measured.baseline.get(metric)
        change = change_text(measured.changes.get(metric))
        beside = f", blessed model {number_text(blessed.value)}, change {change}" if blessed else ""
        parts.append(f"Ranking score: {metric} {number_text(estimate.value)}{beside}")
    return Text("\n".join(parts))


def _drift_text(drift: DriftResult) -> Table | Text:
    if not drift.is_compared:
        return Text(
            "Drift: no earlier run on other examples has pushed a model, so there is nothing to "
            "compare with"
        )
    return shifts_table(
        "Drift of the train split since the last run that pushed a model", drift.fields
    )


def _push_check_text(check: PushCheckReport) -> Text:
    latencies = [
        f"{entry.candidates:,}: {entry.p50:.1f} / {entry.p99:.1f} ms" for entry in check.latency_ms
    ]
    return Text(
        f"Served over gRPC: scores differ from the trainer's by {check.largest_difference:.1g} "
        f"at most; p50 / p99 by candidates: {', '.join(latencies)} (budget "
        f"{check.latency_budget_ms:g} ms)"
    )


def outcome_text(summary: RunSummary) -> Text:
    """Return the outcome in words: pushed, refused and why, or failed and why."""
    if summary.failure is not None:
        lines = [
            f"Failed: {summary.failure.node}: {summary.failure.cause}",
            summary.failure.details,
            f"Log: {summary.log}",
        ]
        return Text("\n".join(line for line in lines if line), style="red")
    if summary.status == "refused":
        reasons = [
            f"  {verdict.task}: {refusal}"
            for verdict in summary.tasks
            for refusal in verdict.refusals
        ]
        if summary.push_check is not None:
            reasons += [f"  {refusal}" for refusal in summary.push_check.refusals]
        return Text("\n".join(["Refused, so nothing was pushed:", *reasons]), style="yellow")
    if summary.status == "superseded":
        return Text("Blessed, but not pushed: the newest version is of a later day", style="green")
    how = "pushed as" if summary.newly_pushed else "already pushed as"
    return Text(f"Blessed and {how} version {summary.version}", style="green")
