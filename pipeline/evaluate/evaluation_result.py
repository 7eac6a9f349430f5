"""What an evaluation found, and its form as JSON in the evaluation artifact."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from pydantic import TypeAdapter

from pipeline.workspace.artifact_files import read_bytes, write_bytes

_FILE = "evaluation.json"


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A metric, or the difference of one between two models, with its jackknife interval at 95 %.

    Attributes:
        value: on all examples; None where it cannot be computed.
        lower: the interval's lower end; None where there is no interval.
        upper: its upper end.
    """

    value: float | None
    lower: float | None = None
    upper: float | None = None


@dataclass(frozen=True, kw_only=True)
class CalibrationBucket:
    """Examples with scores between two bounds: mean score beside mean label."""

    example_count: float
    mean_score: float
    mean_label: float


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """One output of the models on one slice of the evaluation split, in the task's sample space.

    Attributes:
        field: the field that the slice is made by; "" for the whole split.
        value: the field's value on the slice; "" for the whole split.
        example_count: rows of the sample space; 0 for the ranking score, which has none.
        metrics: of the candidate, by name.
        baseline: of the blessed model; empty if there was none to compare with.
        changes: candidate minus blessed model.
        calibration: of a binary task's candidate, by ascending score; empty otherwise.
    """

    field: str
    value: str
    example_count: int
    metrics: dict[str, Estimate]
    baseline: dict[str, Estimate]
    changes: dict[str, Estimate]
    calibration: list[CalibrationBucket] = dataclasses.field(default_factory=list)

    @property
    def name(self) -> str:
        """Such as ``tab=1``; "" for the whole split."""
        return f"{self.field}={self.value}" if self.field else ""


@dataclass(frozen=True, kw_only=True)
class TaskVerdict:
    """One task on the evaluation split, on its own sample space.

    Attributes:
        task: its name.
        example_count: rows of the sample space.
        metric: the metric that blessing looks at.
        threshold: the worst value of the metric that may be pushed.
        tolerance: the largest loss against the blessed model that may be pushed, beyond noise.
        metrics: all metrics of the candidate by name; None where one cannot be computed.
        baseline_metrics: the same of the blessed model; empty if there was none to compare with.
        change: of the metric that blessing looks at, candidate minus blessed model; None if there
            was none to compare with.
        slices: the whole split first, then each slice.
        protected: names of the slices that may refuse the model.
        refusals: why the task refuses the model; empty if it does not.
    """

    task: str
    example_count: int
    metric: str
    threshold: float
    tolerance: float
    metrics: dict[str, float | None]
    baseline_metrics: dict[str, float | None]
    change: Estimate | None
    slices: list[Measurement]
    protected: list[str]
    refusals: list[str]

    @property
    def value(self) -> float | None:
        """The candidate's value of the metric."""
        return self.metrics.get(self.metric)

    @property
    def baseline_value(self) -> float | None:
        """The blessed model's value of the metric."""
        return self.baseline_metrics.get(self.metric)


@dataclass(frozen=True, kw_only=True)
class EvaluationResult:
    """All of it.

    Attributes:
        tasks: the verdict of each, in the spec's order.
        ranking: NDCG of the ranking score, the whole split first; empty where the spec asks for
            none.
        baseline_note: what could not be compared with the blessed model, and why; or "".
    """

    tasks: list[TaskVerdict]
    ranking: list[Measurement]
    baseline_note: str


_JSON = TypeAdapter(EvaluationResult)


def write_evaluation(result: EvaluationResult, folder: str) -> None:
    """Writes it beside TFMA's own files."""
    write_bytes(f"{folder}/{_FILE}", _JSON.dump_json(result, indent=1))


def read_evaluation(folder: str) -> EvaluationResult:
    """What `write_evaluation` wrote."""
    return _JSON.validate_json(read_bytes(f"{folder}/{_FILE}"))
