"""The registry of metrics: what is entered there is complete, and older names are still read."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.evaluate.evaluation_result import read_evaluation
from pipeline.evaluate.metrics.metric_registry import METRICS, meaning_of, task_metrics


@pytest.mark.parametrize("name", METRICS)
def test_a_metric_of_a_kind_of_task_has_a_formula_and_all_have_a_meaning(name: str) -> None:
    metric = METRICS[name]
    assert (metric.kind is None) == (metric.value is None)
    assert metric.label
    assert metric.meaning.endswith(".")


def test_metrics_are_told_apart_by_kind() -> None:
    assert {"auc", "log_loss", "normalized_entropy"} <= set(task_metrics("binary"))
    assert {"mse", "mae", "xauc"} <= set(task_metrics("regression"))
    assert not set(task_metrics("binary")) & set(task_metrics("regression"))


def test_a_metric_at_some_k_has_its_own_label_and_the_known_meaning() -> None:
    assert meaning_of("ndcg@7").label == "ndcg@7"
    assert meaning_of("ndcg@7").meaning == METRICS["ndcg"].meaning
    assert meaning_of("of a later version").higher_is_better is None


def test_an_evaluation_of_an_older_version_is_read_by_the_present_names(tmp_path: Path) -> None:
    part = (
        '{"field": "", "value": "", "example_count": 2, "baseline": {}, "changes": {}, "calibration": [],'
        ' "metrics": {"relative_cross_entropy": {"value": 0.5}, "order_auc": {"value": 0.7}}}'
    )
    (tmp_path / "evaluation.json").write_text(
        '{"tasks": [], "baseline_note": "", "ranking": [' + part + "]}"
    )
    [measured] = read_evaluation(str(tmp_path)).ranking
    assert {name: estimate.value for name, estimate in measured.metrics.items()} == {
        "normalized_entropy": 0.5,
        "xauc": 0.7,
    }


def test_a_task_or_slice_that_is_called_like_an_older_metric_keeps_its_name(tmp_path: Path) -> None:
    part = (
        '{"field": "order_auc", "value": "relative_cross_entropy", "example_count": 2,'
        ' "metrics": {}, "baseline": {}, "changes": {}, "calibration": []}'
    )
    (tmp_path / "evaluation.json").write_text(
        '{"tasks": [], "baseline_note": "", "ranking": [' + part + "]}"
    )
    [measured] = read_evaluation(str(tmp_path)).ranking
    assert measured.name == "order_auc=relative_cross_entropy"
