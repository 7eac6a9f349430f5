"""What the metrics of an evaluation mean, for tooltips and tables."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.evaluate.evaluation_result import Estimate
from pipeline.report.elements.section import Cell, Tone


@dataclass(frozen=True)
class MetricMeaning:
    """A metric in words.

    Attributes:
        label: its name on the page.
        meaning: one sentence.
        higher_is_better: its direction; None where a certain value is best.
    """

    label: str
    meaning: str
    higher_is_better: bool | None


MEANINGS = {
    "auc": MetricMeaning("AUC", "Share of pairs of a positive and a negative example in the right order; 0.5 is chance.", True),
    "gauc": MetricMeaning("GAUC", "AUC among each user's own examples, averaged over users by their number of examples.", True),
    "log_loss": MetricMeaning("log loss", "Mean cross-entropy of score and label.", False),
    "relative_cross_entropy": MetricMeaning(
        "relative cross-entropy", "Log loss over that of always giving the base rate; below 1 the scores tell something.", False
    ),
    "calibration": MetricMeaning("calibration", "Sum of scores over sum of labels; above 1 scores are too high.", None),
    "mse": MetricMeaning("MSE", "Mean squared error.", False),
    "mae": MetricMeaning("MAE", "Mean absolute error.", False),
    "order_auc": MetricMeaning("order AUC", "Share of pairs with different labels in the right order; 0.5 is chance.", True),
    "ndcg": MetricMeaning(
        "NDCG", "Gain that the ranking score puts into the first places, over the most that any order could.", True
    ),
}  # fmt: skip


def meaning_of(metric: str) -> MetricMeaning:
    """The meaning of a metric; its name alone where it is an unknown one, such as NDCG at some k."""
    if metric in MEANINGS:
        return MEANINGS[metric]
    known = MEANINGS.get(metric.partition("@")[0])
    return MetricMeaning(
        metric, known.meaning if known else "", known.higher_is_better if known else None
    )


def is_better(metric: str, change: Estimate | None) -> bool | None:
    """Whether a change is one for the better; None where there is none, or the metric has no direction."""
    upwards = meaning_of(metric).higher_is_better
    if change is None or not change.value or upwards is None:
        return None
    return (change.value > 0.0) == upwards


def is_noise(change: Estimate) -> bool:
    """Whether the interval of a change holds 0; without an interval nobody can say, so False."""
    return (
        change.lower is not None
        and change.upper is not None
        and change.lower <= 0.0 <= change.upper
    )


def change_cell(metric: str, change: Estimate | None) -> Cell:
    """A change with an arrow: up for better, whatever the metric's direction; quiet within noise."""
    return _change_cell(change, is_better(metric, change))


def gain_cell(gain: Estimate | None) -> Cell:
    """The same of an MTL gain, which is above 0 where it is better, whatever the metric."""
    return _change_cell(gain, gain.value > 0.0 if gain is not None and gain.value else None)


def _change_cell(change: Estimate | None, better: bool | None) -> Cell:
    if change is None or change.value is None or better is None:
        return Cell(
            "–" if change is None or change.value is None else f"{change.value:+.4f}", "quiet"
        )
    tone: Tone = "quiet" if is_noise(change) else "good" if better else "bad"
    return Cell(
        f"{'▲' if better else '▼'} {change.value:+.4f}", tone, detail=interval_text(change, "+.4f")
    )


def interval_text(estimate: Estimate, form: str = ".4f") -> str:
    """Such as ``0.71 to 0.73``; "" without an interval."""
    if estimate.lower is None or estimate.upper is None:
        return ""
    return f"{estimate.lower:{form}} to {estimate.upper:{form}}"


def turned(metric: str, change: Estimate | None) -> Estimate | None:
    """The change with the sign that makes an improvement positive."""
    if change is None or change.value is None or meaning_of(metric).higher_is_better is not False:
        return change
    lower, upper = change.lower, change.upper
    return Estimate(
        value=-change.value,
        lower=None if upper is None else -upper,
        upper=None if lower is None else -lower,
    )
