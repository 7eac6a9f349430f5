"""What a report says of one run, as data: kept within the page, so that pages can be compared with each other."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import TypeAdapter

from feature_spec.artifacts.push_check_report import PushCheckReport
from feature_spec.formula import RankingFormula
from pipeline.evaluate.evaluation_result import EvaluationResult
from pipeline.evaluate.task_gains import MtlGains
from pipeline.ingest.accounting.summary import IngestSummary
from pipeline.validate.anomalies import Anomaly
from pipeline.validate.distribution_shift import DriftResult

Outcome = Literal["pushed", "superseded", "refused", "failed"]


@dataclass(frozen=True, kw_only=True)
class Failure:
    """The component that failed, and why in one line."""

    component: str
    cause: str


@dataclass(frozen=True, kw_only=True)
class RunData:
    """One run. What a component would have given that did not run, or belongs to an older Fulcrum, is None.

    Attributes:
        name: tells runs apart in a comparison, such as ``runs/first``.
        spec: name of the spec.
        fingerprint: of the spec; "" before a model was trained.
        began: time at which the run began, ISO 8601; "" where nobody knows.
        failure: None unless a component failed.
        version: the version that the model was pushed as; None unless pushed.
        model: name of the sharing architecture; "" before a model was trained.
        task_meanings: what each task predicts, in words.
        formula: the ranking formula.
        ingestion: JSON of a `pipeline.ingest.accounting.summary.IngestSummary`; an older Fulcrum
            left out some of it.
        anomalies: differences between examples and schema; empty where there are none.
        drift: of the examples since the last run that pushed a model; None without thresholds.
        curves: values by epoch of each training curve; see `pipeline.report.data.load_run`.
        evaluation: of the candidate beside the blessed model.
        gains: against networks of one task each; None unless the run was asked for them.
        push_check: what the check before the push found; None too if the model was refused before.
        insight: `inspection` and `weight_effects`; see `trainer.model_insight`.
    """

    name: str
    spec: str
    fingerprint: str = ""
    began: str = ""
    failure: Failure | None = None
    version: int | None = None
    model: str = ""
    task_meanings: dict[str, str] = dataclasses.field(default_factory=dict)
    formula: RankingFormula | None = None
    ingestion: IngestSummary | None = None
    anomalies: list[Anomaly] | None = None
    drift: DriftResult | None = None
    curves: dict[str, list[tuple[int, float]]] | None = None
    evaluation: EvaluationResult | None = None
    gains: MtlGains | None = None
    push_check: PushCheckReport | None = None
    insight: dict[str, Any] | None = None

    @property
    def outcome(self) -> Outcome:
        """As of `fulcrum run`."""
        if self.failure is not None:
            return "failed"
        if self.version is not None:
            return "pushed"
        return "superseded" if self.evaluation is not None and not self.refusals else "refused"

    @property
    def refusals(self) -> list[str]:
        """Why the model was refused, each beginning with the task where it is one's."""
        verdicts = self.evaluation.tasks if self.evaluation is not None else []
        of_tasks = [
            f"{verdict.task}: {refusal}" for verdict in verdicts for refusal in verdict.refusals
        ]
        return [*of_tasks, *(self.push_check.refusals if self.push_check is not None else [])]

    @property
    def has_baseline(self) -> bool:
        """Whether there was a blessed model to compare with."""
        return self.evaluation is not None and any(
            verdict.baseline_metrics for verdict in self.evaluation.tasks
        )


_JSON = TypeAdapter(RunData)


def run_as_json(run: RunData) -> str:
    """For `run_from_json`."""
    return _JSON.dump_json(run).decode()


def run_from_json(text: str) -> RunData:
    """What `run_as_json` gave.

    Raises:
        pydantic.ValidationError: the text is something else.
    """
    return _JSON.validate_json(text)
