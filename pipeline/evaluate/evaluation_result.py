"""The result of an evaluation, its JSON in the evaluation artifact, and its numbers as text."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Annotated, TypeVar

from pydantic import AfterValidator, TypeAdapter

from feature_spec.tasks.evidence import too_few
from pipeline.evaluate.metrics.metric_registry import with_present_names
from pipeline.workspace.artifact_files import read_bytes, write_bytes

_FILE = "evaluation.json"

_Value = TypeVar("_Value")
# Evaluations and the pages that keep them may be older than the names of some metrics.
_ByMetric = Annotated[dict[str, _Value], AfterValidator(with_present_names)]


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A metric, or its change between two models, with the jackknife interval at 95 %.

    Attributes:
        value: the value on all examples; None where it cannot be computed.
        lower: the lower end of the interval; None where there is no interval.
        upper: the upper end of the interval; None where there is no interval.
    """

    value: float | None
    lower: float | None = None
    upper: float | None = None

    @property
    def has_interval(self) -> bool:
        """Whether there is an interval; without one nobody can tell how sure the value is."""
        return self.lower is not None and self.upper is not None

    @property
    def is_clear(self) -> bool:
        """Whether a change is beyond noise: it has an interval, and that does not hold 0."""
        return (
            self.lower is not None
            and self.upper is not None
            and not self.lower <= 0.0 <= self.upper
        )


@dataclass(frozen=True, kw_only=True)
class CalibrationBucket:
    """Examples with scores between two bounds, with mean score and mean label."""

    example_count: float
    mean_score: float
    mean_label: float


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """Metrics of one output on one slice of the evaluation split, in the task's sample space.

    Attributes:
        field: the field that makes the slice; "" for the whole split.
        value: the field's value on the slice; "" for the whole split.
        example_count: examples in the sample space; 0 for the ranking score, which has none.
        metrics: the candidate's metrics by name.
        baseline: the blessed model's metrics by name; empty if there was none to compare with.
        changes: the candidate's metrics minus the blessed model's.
        calibration: the calibration curve of a binary task's candidate, by ascending score; empty
            for other outputs.
    """

    field: str
    value: str
    example_count: int
    metrics: _ByMetric[Estimate]
    baseline: _ByMetric[Estimate]
    changes: _ByMetric[Estimate]
    calibration: list[CalibrationBucket] = dataclasses.field(default_factory=list)

    @property
    def positive_count(self) -> int | None:
        """Examples with label 1; None for outputs that are not binary tasks."""
        if not self.calibration:
            return None
        return round(sum(part.example_count * part.mean_label for part in self.calibration))

    @property
    def too_few(self) -> str:
        """``too few to tell (3 positives)``; "" where there are enough, or no task's examples."""
        return too_few(self.example_count, self.positive_count) if self.example_count else ""

    @property
    def name(self) -> str:
        """The slice's name, such as ``tab=1``; "" for the whole split."""
        return f"{self.field}={self.value}" if self.field else ""


@dataclass(frozen=True, kw_only=True)
class ValuesByPart:
    """A task's metrics without each part of the jackknife, on the whole split.

    Attributes:
        examples: a hash that runs share whose task was judged on the same examples.
        values: by metric, the value of all examples, then without each of the P parts; (1 + P,).
    """

    examples: str
    values: dict[str, list[float | None]]


@dataclass(frozen=True, kw_only=True)
class TaskVerdict:
    """The verdict of one task, from the evaluation examples in its sample space.

    Attributes:
        task: the name of the task.
        example_count: evaluation examples in the sample space.
        positive_count: those with label 1; None unless the task is binary and has examples.
        too_few: ``too few to tell (3 positives)``; "" where there are enough.
        metric: the metric that blesses or refuses.
        threshold: the worst value of the metric that may be pushed; None where a default one cannot
            be computed.
        default_threshold: whether the spec has no threshold, so that the model has to be better
            than chance.
        tolerance: the largest loss against the blessed model that may be pushed, beyond noise.
        default_tolerance: whether the spec has no tolerance, so that no loss beyond noise may be
            pushed.
        metrics: all metrics of the candidate by name; None where one cannot be computed.
        baseline_metrics: all metrics of the blessed model by name; empty if there was no such
            model.
        change: the change of `metric`, candidate minus blessed model; None if there was no such
            model.
        slices: the whole split first, then each slice.
        protected: names of the slices that may refuse the model.
        refusals: reasons to refuse the model; empty if there are none.
        by_part: the candidate's metrics by part, which runs are compared by; None without examples.
    """

    task: str
    example_count: int
    metric: str
    threshold: float | None
    tolerance: float
    metrics: _ByMetric[float | None]
    baseline_metrics: _ByMetric[float | None]
    change: Estimate | None
    slices: list[Measurement]
    protected: list[str]
    refusals: list[str]
    # Earlier versions did not write them.
    positive_count: int | None = None
    too_few: str = ""
    default_threshold: bool = False
    default_tolerance: bool = False
    by_part: ValuesByPart | None = None

    @property
    def outcome(self) -> str:
        """The verdict in words: refused, passed, or why nobody can tell."""
        return "refused" if self.refusals else self.too_few or "passed"

    @property
    def threshold_text(self) -> str:
        """The threshold; of a default one, that it is chance."""
        if self.threshold is None:
            return "–"
        return (
            f"{self.threshold:.4f} (chance)" if self.default_threshold else (f"{self.threshold:g}")
        )

    @property
    def tolerance_text(self) -> str:
        """The tolerance; of a default one, that it is noise alone."""
        return "noise" if self.default_tolerance else f"{self.tolerance:g}"

    @property
    def value(self) -> float | None:
        """The candidate's value of `metric`."""
        return self.metrics.get(self.metric)

    @property
    def baseline_value(self) -> float | None:
        """The blessed model's value of `metric`."""
        return self.baseline_metrics.get(self.metric)


@dataclass(frozen=True, kw_only=True)
class EvaluationResult:
    """The result of an evaluation.

    Attributes:
        tasks: the verdict of each task, in the spec's order.
        ranking: NDCG of the ranking score, the whole split first; empty where the spec does not ask
            for NDCG.
        baseline_note: a sentence about comparisons with the blessed model that were impossible, or
            "".
    """

    tasks: list[TaskVerdict]
    ranking: list[Measurement]
    baseline_note: str


_JSON = TypeAdapter(EvaluationResult)


def write_evaluation(result: EvaluationResult, folder: str) -> None:
    """Write a result beside TFMA's own files."""
    write_bytes(f"{folder}/{_FILE}", _JSON.dump_json(result, indent=1))


def read_evaluation(folder: str) -> EvaluationResult:
    """Read the result that `write_evaluation` wrote, also in an older version."""
    return _JSON.validate_json(read_bytes(f"{folder}/{_FILE}"))


def number_text(value: float | None) -> str:
    """Return a number with four decimals; a dash for None."""
    return "–" if value is None else f"{value:.4f}"


def change_text(change: Estimate | None) -> str:
    """Return a change with its sign and its interval; a dash for None."""
    if change is None or change.value is None:
        return "–"
    interval = (
        " (no interval)"
        if change.lower is None or change.upper is None
        else f" ({change.lower:+.4f} to {change.upper:+.4f})"
    )
    return f"{change.value:+.4f}{interval}"
