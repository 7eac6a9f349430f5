"""The best reachable metrics are those of the true expectations."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from feature_spec.names import label_name, mask_name
from pipeline.simulator.best_metrics import METRICS, WITHOUT_HISTORY, area_under_curve, best_metrics


def test_auc_of_a_worked_example() -> None:
    # Positives .8 and .4, negatives .6 and .2: of four pairs, three are in order.
    assert area_under_curve(np.array([1, 1, 0, 0]), np.array([0.8, 0.4, 0.6, 0.2])) == 0.75


def test_a_tie_counts_half() -> None:
    assert area_under_curve(np.array([1, 0]), np.array([0.3, 0.3])) == 0.5


def test_auc_of_one_class_is_undefined() -> None:
    assert area_under_curve(np.array([1, 1]), np.array([0.1, 0.2])) is None


def _write_truth(
    folder: Path, day: str, score: list[float], label: list[float], mask: list[float]
) -> None:
    columns = {}
    for task in METRICS:
        columns |= {
            task: score,
            task + WITHOUT_HISTORY: [0.5] * len(score),
            label_name(task): label,
            mask_name(task): mask,
        }
    (folder / "truth").mkdir(exist_ok=True)
    pq.write_table(pa.table(columns), folder / "truth" / f"day={day}.parquet")


def test_metrics_count_only_rows_of_the_sample_space(tmp_path: Path) -> None:
    _write_truth(tmp_path, "2026-01-05", [0.9, 0.1, 0.5], [1.0, 0.0, 0.0], [1.0, 1.0, 0.0])
    best = best_metrics(tmp_path)["all"]
    assert best["vtr"] == 1.0
    assert best["vcr"] == pytest.approx((0.1**2 + 0.1**2) / 2)


def test_evaluation_takes_the_last_days(tmp_path: Path) -> None:
    _write_truth(tmp_path, "2026-01-05", [0.1, 0.9], [1.0, 0.0], [1.0, 1.0])
    _write_truth(tmp_path, "2026-01-06", [0.9, 0.1], [1.0, 0.0], [1.0, 1.0])
    best = best_metrics(tmp_path)
    assert (best["evaluation"]["ctr"], best["all"]["ctr"]) == (1.0, 0.5)


def test_who_does_not_know_the_history_has_metrics_of_its_own(tmp_path: Path) -> None:
    _write_truth(tmp_path, "2026-01-05", [0.9, 0.1], [1.0, 0.0], [1.0, 1.0])
    best = best_metrics(tmp_path)
    assert (best["all"]["ctr"], best["all" + WITHOUT_HISTORY]["ctr"]) == (1.0, 0.5)


def test_a_folder_without_truth_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no truth/day"):
        best_metrics(tmp_path)
