"""The best metrics that any model can reach on simulated logs, from their true probabilities."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from feature_spec.names import label_name, mask_name

METRICS = {"vtr": "auc", "vcr": "mse", "shr": "auc", "cmr": "auc", "ctr": "auc"}
TRUTH = "truth"
# Ends the names of scores, and of parts, of one who does not know what changes from day to day.
WITHOUT_HISTORY = "_without_history"


def best_metrics(logs: Path, evaluation_days: int = 1) -> dict[str, dict[str, float | None]]:
    """Score the true expectations like the predictions of a model.

    Args:
        logs: the folder that `fulcrum simulate` wrote.
        evaluation_days: the number of last days in the part `evaluation`.

    Returns:
        the metric of each task on its own sample space, by part (`evaluation`, `all`): AUC, for vcr
        the mean squared error. None where it is undefined, because a class or the whole sample
        space is empty. `evaluation_without_history` and `all_without_history` are the best metrics
        of a model that knows what stays of users and videos, and not their moods and trends.

    Raises:
        ValueError: the folder has no truth.
    """
    files = sorted((logs / TRUTH).glob("day=*.parquet"))
    if not files:
        raise ValueError(
            f"no {TRUTH}/day=*.parquet in {logs}: give a folder that `fulcrum simulate` wrote"
        )
    parts = {"evaluation": files[-evaluation_days:], "all": files}
    return {
        part + known: _metrics(pa.concat_tables(map(pq.read_table, chosen)), known)
        for part, chosen in parts.items()
        for known in ("", WITHOUT_HISTORY)
    }


def area_under_curve(labels: np.ndarray, scores: np.ndarray) -> float | None:
    """Return the AUC of scores (N,) for labels (N,) of 0 and 1; None where a class is empty.

    The AUC is P(a positive scores higher than a negative), where ties count half.
    """
    positives = int(labels.sum())
    negatives = len(labels) - positives
    if not positives or not negatives:
        return None
    _, group, counts = np.unique(scores, return_inverse=True, return_counts=True)
    mean_rank = counts.cumsum() - (counts - 1) / 2
    return float(
        (mean_rank[group][labels == 1].sum() - positives * (positives + 1) / 2)
        / (positives * negatives)
    )


def _metrics(truth: pa.Table, known: str) -> dict[str, float | None]:
    result: dict[str, float | None] = {}
    for task, metric in METRICS.items():
        inside = truth[mask_name(task)].to_numpy() == 1
        labels = truth[label_name(task)].to_numpy()[inside]
        scores = truth[task + known].to_numpy()[inside]
        if metric == "auc":
            result[task] = area_under_curve(labels, scores)
        else:
            result[task] = float(np.mean((labels - scores) ** 2)) if inside.any() else None
    return result
