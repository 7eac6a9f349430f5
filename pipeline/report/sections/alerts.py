"""Alerts: what somebody on call should look at first, each with its section."""

from __future__ import annotations

from collections.abc import Iterator

from feature_spec.names import EVALUATION
from pipeline.evaluate.evaluation_result import TaskVerdict, change_text
from pipeline.evaluate.metrics.metric_registry import meaning_of
from pipeline.ingest.accounting.ingest_warnings import ingestion_warnings
from pipeline.ingest.accounting.limits import SourceLines
from pipeline.report.data.run_data import RunData
from pipeline.report.elements.estimates import is_better, whole_split
from pipeline.report.elements.section import Tone
from pipeline.report.sections.histories import EMPTY_SHARE, SHIFT

Alert = tuple[Tone, str, str]

# Values beyond these limits are worth a look. None of them refuses a model.
REJECTED_SHARE = 0.01
CALIBRATION_OFF_BY = 0.1
COLLAPSED_WEIGHT = 0.9
# HoME calls an expert collapsed whose units are 0 more often than this.
COLLAPSED_ZEROS = 0.9
BUDGET_SHARE = 0.8
_WORST_FIRST = ("bad", "warn", "good")


def alerts(run: RunData) -> list[Alert]:
    """Return the alerts of a run, the worst first."""
    found = [
        *_of_tasks(run),
        *_of_slices(run),
        *_of_gains(run),
        *_of_model(run),
        *_of_formula(run),
        *_of_service(run),
        *_of_data(run),
        *_of_histories(run),
    ]
    return sorted(found, key=lambda alert: _WORST_FIRST.index(alert[0]))


def _of_tasks(run: RunData) -> Iterator[Alert]:
    for verdict in run.evaluation.tasks if run.evaluation is not None else []:
        label = meaning_of(verdict.metric).label
        if verdict.refusals:
            yield (
                "bad",
                f"{verdict.task}: "
                f"{verdict.refusals[0]}{_and_more(len(verdict.refusals) - 1, 'reason')}",
                "tasks",
            )
        change = verdict.change
        if (
            change is not None
            and not verdict.refusals
            and is_better(verdict.metric, change) is False
            and change.is_clear
        ):
            yield (
                "warn",
                f"{verdict.task}: {label} {change_text(change)}, a loss within its tolerance "
                f"{verdict.tolerance_text}",
                "tasks",
            )
        yield from _of_calibration(verdict)


def _of_calibration(verdict: TaskVerdict) -> Iterator[Alert]:
    whole = whole_split(verdict.slices)
    calibration = whole.metrics.get("calibration") if whole is not None else None
    if (
        calibration is None
        or calibration.value is None
        or abs(calibration.value - 1.0) <= CALIBRATION_OFF_BY
    ):
        return
    # With a rare label and few examples, calibration may be anything.
    if (
        calibration.lower is not None
        and calibration.upper is not None
        and calibration.lower <= 1.0 <= calibration.upper
    ):
        return
    side = "high" if calibration.value > 1.0 else "low"
    yield (
        "warn",
        f"{verdict.task}: scores are {abs(calibration.value - 1.0):.0%} too {side} on average",
        "calibration",
    )


def _of_slices(run: RunData) -> Iterator[Alert]:
    """Yield the worst losing slice of each task, among slices that are not protected.

    A slice counts if it loses beyond noise and more than the task's tolerance.
    """
    for verdict in run.evaluation.tasks if run.evaluation is not None else []:
        losing: list[tuple[float, str]] = []
        for part in verdict.slices:
            change = part.changes.get(verdict.metric)
            if (
                not part.field
                or part.name in verdict.protected
                or part.too_few
                or change is None
                or change.value is None
            ):
                continue
            worse = is_better(verdict.metric, change) is False and change.is_clear
            if worse and abs(change.value) > verdict.tolerance:
                losing.append(
                    (
                        abs(change.value),
                        f"{verdict.task} on {part.name}: {change_text(change)} against the "
                        "serving model",
                    )
                )
        if losing:
            yield "warn", max(losing)[1] + _and_more(len(losing) - 1, "slice"), "slices"


def _and_more(count: int, what: str) -> str:
    return f", and {count} more {what}{'s' * (count > 1)}" if count else ""


def _of_gains(run: RunData) -> Iterator[Alert]:
    for gain in run.gains.tasks if run.gains is not None else []:
        if (
            gain.task in (run.gains.negative_transfer if run.gains is not None else ())
            and gain.is_clear
        ):
            yield (
                "warn",
                f"{gain.task}: negative transfer, {change_text(gain.gain)} against the task "
                "trained alone",
                "mtl-gain",
            )


def _of_model(run: RunData) -> Iterator[Alert]:
    for gate in run.insight.inspection.gates if run.insight is not None else []:
        strongest = max(gate.experts, key=lambda weight: weight.mean)
        if len(gate.experts) > 1 and strongest.mean > COLLAPSED_WEIGHT:
            yield (
                "warn",
                f"Gate {gate.gate} gives {strongest.mean:.0%} of its weight to {strongest.expert}",
                "experts",
            )
    for level in run.insight.inspection.expert_outputs if run.insight is not None else []:
        for expert in level.experts:
            if expert.zero_share > COLLAPSED_ZEROS:
                yield (
                    "warn",
                    f"{level.level}: {expert.zero_share:.0%} of the units of {expert.expert} are 0",
                    "experts",
                )
    losses = (run.curves or {}).get("validation_loss", [])
    if run.ending is not None:
        if run.ending.advice:
            yield "warn", run.ending.advice, "training"
    # A training of an earlier version does not say what ended it.
    elif len(losses) > 1 and losses[-1][1] == min(loss for _, loss in losses):
        yield (
            "warn",
            f"The validation loss still fell in the last epoch ({losses[-1][0]}): more epochs "
            "may help",
            "training",
        )


def _of_formula(run: RunData) -> Iterator[Alert]:
    effects = run.insight.weight_effects.effects if run.insight is not None else []
    for effect in effects:
        if effect.factor == 0.0 and effect.changed_share == 0.0:
            yield (
                "warn",
                f"The weight of {effect.name} ({effect.weight:g}) changes no top 10, even set to 0",
                "formula",
            )


def _of_service(run: RunData) -> Iterator[Alert]:
    check = run.push_check
    if check is None:
        return
    yield from (("bad", refusal, "service") for refusal in check.refusals)
    for entry in check.latency_ms:
        if BUDGET_SHARE * check.latency_budget_ms < entry.p99 <= check.latency_budget_ms:
            budget = f"{check.latency_budget_ms:g} ms"
            yield (
                "warn",
                f"{entry.candidates:,} candidates take {entry.p99:.1f} ms at the p99, close to "
                f"{budget}",
                "service",
            )


def _of_histories(run: RunData) -> Iterator[Alert]:
    for history in run.histories.histories if run.histories is not None else []:
        judging = history.parts.get(EVALUATION)
        if judging is not None and judging.empty_share > EMPTY_SHARE:
            yield (
                "warn",
                f"The history {history.name} is empty in {judging.empty_share:.0%} of the "
                "evaluation examples",
                "histories",
            )
        if history.shift is not None and abs(history.shift) > SHIFT:
            larger = "larger" if history.shift > 0 else "smaller"
            yield (
                "warn",
                f"The history {history.name} is {abs(history.shift):.1f} standard deviations "
                f"{larger} in the evaluation than in training",
                "histories",
            )


def _of_data(run: RunData) -> Iterator[Alert]:
    if run.anomalies:
        features = ", ".join(sorted({anomaly.feature for anomaly in run.anomalies}))
        yield "bad", f"Anomalies in the examples, of {features}", "anomalies"
    if run.drift is not None and run.drift.beyond:
        fields = ", ".join(shift.field for shift in run.drift.beyond)
        yield (
            "warn",
            f"The examples have drifted since the last run that pushed a model, in {fields}",
            "drift",
        )
    if run.ingestion is not None:
        yield from (
            ("bad", f"Could not be read to its end: {file}", "ingestion")
            for file in run.ingestion.unreadable_files
        )
        yield from (("warn", warning, "ingestion") for warning in ingestion_warnings(run.ingestion))
        yield from (
            ("warn", text, "ingestion")
            for counted in run.ingestion.by_source.values()
            for text in _rejected(counted)
        )


def _rejected(counted: SourceLines) -> Iterator[str]:
    """Yield the rejected share of a source's lines, then each further reason of weight."""
    if counted.rejected_share <= REJECTED_SHARE:
        return
    (most, count), *others = sorted(counted.rejected.items(), key=lambda item: -item[1])
    share = f"{counted.rejected_share:.1%} of {counted.whose} lines were rejected"
    yield f"{share}, most of them as {most.replace('_', ' ')} ({count:,})"
    for reason, number in others:
        if number / counted.kept > REJECTED_SHARE:
            yield (
                f"{number / counted.kept:.1%} of {counted.whose} lines were rejected as "
                f"{reason.replace('_', ' ')} ({number:,})"
            )
