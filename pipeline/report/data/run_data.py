"""The data of one run's report, kept within the page so that pages can be compared."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Literal

from pydantic import TypeAdapter

from feature_spec.artifacts.inspection import ModelInsight
from feature_spec.artifacts.push_check_report import PushCheckReport
from feature_spec.artifacts.training_ending import TrainingEnding
from feature_spec.formula import RankingFormula
from pipeline.evaluate.evaluation_result import EvaluationResult
from pipeline.evaluate.task_gains import MtlGains
from pipeline.ingest.accounting.summary import IngestSummary
from pipeline.report.data.history_data import RunHistories
from pipeline.validate.anomalies import Anomaly
from pipeline.validate.distribution_shift import DriftResult

Outcome = Literal["pushed", "superseded", "refused", "failed"]


@dataclass(frozen=True, kw_only=True)
class Failure:
    """The component that failed, and the cause in one line."""

    component: str
    cause: str


@dataclass(frozen=True, kw_only=True)
class RunData:
    """The data of one run's report.

    An attribute is None if its component did not run or an older Fulcrum did not have it.

    Attributes:
        name: a name that tells runs apart in a comparison, such as ``runs/first``.
        spec: the name of the spec.
        fingerprint: the fingerprint of the spec; "" before a model was trained.
        began: the time at which the run began, ISO 8601; "" if unknown.
        failure: the component that failed; None unless one failed.
        version: the version that the model was pushed as; None unless pushed.
        model: the name of the sharing architecture; "" before a model was trained.
        task_meanings: a sentence for each task on what it predicts.
        formula: the ranking formula.
        ingestion: counts of what became of every line of the logs.
        place: the place that the run was read from, where `name` says what it is; "" in a report.
        histories: what the examples know of what happened before; None without histories.
        anomalies: differences between examples and schema; empty if there are none.
        drift: drift of the examples since the last run that pushed a model; None without
            thresholds.
        curves: values by epoch of each training curve; see `pipeline.report.data.load_run`.
        ending: how the training ended.
        evaluation: the evaluation of the candidate beside the blessed model.
        gains: gains against networks of one task each; None unless the run was asked for them.
        push_check: the report of the check before the push; None if the model was refused before.
        insight: `inspection` and `weight_effects`; see `trainer.model_insight`.
        titles: titles by value, by field, of the values that the report names.
    """

    name: str
    spec: str
    fingerprint: str = ""
    began: str = ""
    place: str = ""
    failure: Failure | None = None
    version: int | None = None
    model: str = ""
    task_meanings: dict[str, str] = dataclasses.field(default_factory=dict)
    formula: RankingFormula | None = None
    ingestion: IngestSummary | None = None
    histories: RunHistories | None = None
    anomalies: list[Anomaly] | None = None
    drift: DriftResult | None = None
    curves: dict[str, list[tuple[int, float]]] | None = None
    ending: TrainingEnding | None = None
    evaluation: EvaluationResult | None = None
    gains: MtlGains | None = None
    push_check: PushCheckReport | None = None
    insight: ModelInsight | None = None
    titles: dict[str, dict[str, str]] = dataclasses.field(default_factory=dict)

    @property
    def began_text(self) -> str:
        """The time at which the run began, to the minute; a dash if it is not known."""
        return self.began[:16].replace("T", " ") if self.began else "–"

    @property
    def outcome(self) -> Outcome:
        """The outcome, as `fulcrum run` gives it."""
        if self.failure is not None:
            return "failed"
        if self.version is not None:
            return "pushed"
        return "superseded" if self.evaluation is not None and not self.refusals else "refused"

    @property
    def refusals(self) -> list[str]:
        """The reasons to refuse the model, each with the name of its task, if any."""
        verdicts = self.evaluation.tasks if self.evaluation is not None else []
        of_tasks = [
            f"{verdict.task}: {refusal}" for verdict in verdicts for refusal in verdict.refusals
        ]
        return [*of_tasks, *(self.push_check.refusals if self.push_check is not None else [])]

    @property
    def has_baseline(self) -> bool:
        """True if there was a blessed model to compare with."""
        return self.evaluation is not None and any(
            verdict.baseline_metrics for verdict in self.evaluation.tasks
        )


_JSON = TypeAdapter(RunData)


def run_as_json(run: RunData) -> str:
    """Return JSON for `run_from_json`."""
    return _JSON.dump_json(run).decode()


def run_from_json(text: str) -> RunData:
    """Return the run that `run_as_json` was given.

    Raises:
        pydantic.ValidationError: the text is something else.
    """
    return _JSON.validate_json(text)
