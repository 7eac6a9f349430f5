"""A task's metrics, their errors and its calibration curve follow from sums by part, as they do from the examples."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy import stats

from pipeline.evaluate.metrics.jackknife import PARTS, standard_error
from pipeline.evaluate.metrics.metric_accumulators import (
    added,
    calibration_curve,
    log_odds_step,
    metrics_of,
    ordinal,
    sums_by_group,
    sums_of,
)


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1.0 / (1.0 + np.exp(-x))


def binary_rows(count: int, seed: int) -> np.ndarray:
    """Part, label, score and weight of examples whose scores are unsure and somewhat too high; weights are 1 and 0.5."""
    random = np.random.default_rng(seed)
    odds = random.normal(-2.0, 1.5, count)
    labels = random.random(count) < sigmoid(odds)
    scores = sigmoid(odds + 0.3 + random.normal(0.0, 0.5, count))
    return np.stack(
        [random.integers(0, PARTS, count), labels, scores, random.choice([0.5, 1.0], count)], axis=1
    )


def regression_rows(count: int, seed: int) -> np.ndarray:
    """Labels and scores are multiples of 1/64, which pairwise AUC tells apart."""
    random = np.random.default_rng(seed)
    labels = np.rint(64 * random.random(count)) / 64
    scores = labels + np.rint(64 * random.normal(0.0, 0.3, count)) / 64
    return np.stack([random.integers(0, PARTS, count), labels, scores, np.ones(count)], axis=1)


def by_definition(rows: np.ndarray) -> dict[str, float]:
    from sklearn.metrics import log_loss, roc_auc_score

    _, labels, scores, weights = rows.T
    rate = np.average(labels, weights=weights)
    loss = log_loss(labels, scores, sample_weight=weights)
    return {
        "auc": roc_auc_score(labels, scores, sample_weight=weights),
        "log_loss": loss,
        "normalized_entropy": loss / stats.entropy([rate, 1.0 - rate]),
        "calibration": np.average(scores, weights=weights) / rate,
    }


def errors_by_definition(rows: np.ndarray) -> dict[str, float]:
    _, labels, scores, _ = rows.T
    concordant = np.sign(np.subtract.outer(labels, labels)) * np.sign(
        np.subtract.outer(scores, scores)
    )
    pairs = np.not_equal.outer(labels, labels).sum()
    pairwise_auc = (concordant.sum() / pairs + 1.0) / 2.0
    return {
        "mse": np.mean((labels - scores) ** 2),
        "normalized_mse": np.mean((labels - scores) ** 2) / np.var(labels),
        "mae": np.mean(np.abs(labels - scores)),
        "xauc": pairwise_auc,
    }


@pytest.mark.parametrize(
    ("kind", "rows", "definition"),
    [
        ("binary", binary_rows(3000, seed=1), by_definition),
        ("regression", regression_rows(1500, seed=1), errors_by_definition),
    ],
    ids=["binary", "regression"],
)
def test_metrics_and_their_errors_are_those_of_a_jackknife_over_the_examples(
    kind: Any, rows: np.ndarray, definition: Callable[[np.ndarray], dict[str, float]]
) -> None:
    found = metrics_of(kind, sums_of(kind, rows))
    expected = [definition(rows), *(definition(rows[rows[:, 0] != part]) for part in range(PARTS))]
    assert list(found) == list(expected[0])
    for name, values in found.items():
        by_part = np.array([each[name] for each in expected])
        assert values == pytest.approx(by_part, rel=2e-4)
        deviations = by_part[1:] - by_part[1:].mean()
        assert standard_error(values) == pytest.approx(
            math.sqrt((PARTS - 1) / PARTS * (deviations**2).sum()), rel=0.02
        )


@pytest.mark.parametrize(
    ("kind", "rows"),
    [("binary", binary_rows(500, seed=2)), ("regression", regression_rows(500, seed=2))],
)
def test_sums_of_shares_of_the_examples_add_up(kind: Any, rows: np.ndarray) -> None:
    shares = [sums_of(kind, share) for share in np.array_split(rows, 7)]
    whole, together = sums_of(kind, rows), added(kind, [added(kind, shares[:3]), *shares[3:]])
    assert together.moments == pytest.approx(whole.moments)
    assert together.histogram.tolist() == whole.histogram.tolist()
    assert together.weights == pytest.approx(whole.weights)


@pytest.mark.parametrize(
    ("kind", "rows"),
    [("binary", binary_rows(500, seed=3)), ("regression", regression_rows(500, seed=3))],
)
def test_sums_by_group_are_those_of_each_groups_examples(kind: Any, rows: np.ndarray) -> None:
    groups = np.random.default_rng(3).integers(0, 6, len(rows))
    groups[groups == 4] = 5  # no example is in group 4
    found = sums_by_group(kind, rows, groups, 7)
    assert len(found) == 7
    for group, sums in enumerate(found):
        alone = sums_of(kind, rows[groups == group])
        assert sums.moments.tolist() == alone.moments.tolist()
        assert sums.histogram.tolist() == alone.histogram.tolist()
        assert sums.weights.tolist() == alone.weights.tolist()


def test_a_label_between_0_and_1_counts_for_both() -> None:
    # An example of label .25 is a quarter of a positive and three quarters of a negative.
    whole = np.array([[0, 0.25, 0.3, 1.0], [1, 1.0, 0.6, 1.0]])
    split = np.array([[0, 1.0, 0.3, 0.25], [0, 0.0, 0.3, 0.75], [1, 1.0, 0.6, 1.0]])
    found, expected = (metrics_of("binary", sums_of("binary", rows)) for rows in (whole, split))
    assert found["auc"][0] == pytest.approx(expected["auc"][0])
    assert found["log_loss"][0] == pytest.approx(expected["log_loss"][0])


@pytest.mark.parametrize("label", [0.0, 1.0])
def test_labels_that_are_all_alike_have_no_auc_but_a_log_loss(label: float) -> None:
    rows = np.array([[0, label, 0.5, 1.0], [1, label, 0.5, 1.0]])
    found = metrics_of("binary", sums_of("binary", rows))
    assert math.isnan(found["auc"][0])
    assert math.isnan(found["normalized_entropy"][0])
    assert found["log_loss"][0] == pytest.approx(math.log(2.0))


@pytest.mark.parametrize("kind", ["binary", "regression"])
def test_a_score_that_is_no_number_leaves_no_metric(kind: Any) -> None:
    rows = np.array([[0, 0.0, 0.2, 1.0], [1, 1.0, math.nan, 1.0], [2, 1.0, 0.7, 1.0]])
    assert all(math.isnan(values[0]) for values in metrics_of(kind, sums_of(kind, rows)).values())


def test_a_certain_mistake_costs_much_but_not_everything() -> None:
    # −ln 1e-7
    rows = np.array([[0, 1.0, 0.0, 1.0]])
    assert metrics_of("binary", sums_of("binary", rows))["log_loss"][0] == pytest.approx(
        16.118, abs=1e-3
    )


def test_without_examples_there_is_no_metric() -> None:
    found = metrics_of("binary", added("binary", []))
    assert all(len(values) == 1 and math.isnan(values[0]) for values in found.values())
    assert calibration_curve(added("binary", [])).shape == (0, 4)


def test_a_calibration_curve_has_ten_ranges_that_hold_all_examples() -> None:
    rows = binary_rows(4000, seed=3)
    _, labels, scores, weights = rows.T
    curve = calibration_curve(sums_of("binary", rows))
    assert len(curve) == 10
    assert np.all(np.diff(curve[:, 0]) > 0.0)
    assert curve[:, 1] == pytest.approx(weights.sum() / 10.0, rel=0.02)
    assert curve[:, 1].sum() == pytest.approx(weights.sum())
    assert curve[:, 2].sum() == pytest.approx((weights * scores).sum(), rel=1e-4)
    assert curve[:, 3].sum() == pytest.approx((weights * labels).sum())
    highest = scores >= curve[-1, 0]
    assert curve[-1, 3] == pytest.approx((weights * labels)[highest].sum(), rel=0.01)


def test_an_interval_holds_the_truth_as_often_as_it_says() -> None:
    """Of 400 samples, for the AUC of one model and the difference between two; 95 % ± 3 standard deviations, which are 1.1 %."""
    random = np.random.default_rng(4)
    parts = np.arange(1000) % PARTS
    quantile = stats.t.ppf(0.975, PARTS - 1)
    # Positives score 1 higher: an AUC of Φ(1 / √2), or with noise of variance 1 more, Φ(1 / 2).
    truth = (
        stats.norm.cdf(1.0 / math.sqrt(2.0)),
        stats.norm.cdf(1.0 / math.sqrt(2.0)) - stats.norm.cdf(0.5),
    )
    held = np.zeros(2)
    for _ in range(400):
        labels = (random.random(1000) < 0.2).astype(float)
        clear = labels + random.normal(size=1000)
        aucs = [
            metrics_of(
                "binary",
                sums_of("binary", np.stack([parts, labels, sigmoid(x), np.ones(1000)], axis=1)),
            )["auc"]
            for x in (clear, clear + random.normal(size=1000))
        ]
        for place, values in enumerate((aucs[0], aucs[0] - aucs[1])):
            held[place] += abs(values[0] - truth[place]) <= quantile * standard_error(values)
    assert held / 400 == pytest.approx([0.95, 0.95], abs=0.033)


def test_examples_alike_in_one_part_make_nothing_more_certain() -> None:
    rows = binary_rows(1000, seed=5)
    once, often = (
        metrics_of("binary", sums_of("binary", np.repeat(rows, times, axis=0))) for times in (1, 5)
    )
    for name in once:
        assert standard_error(often[name]) == pytest.approx(standard_error(once[name]))


def test_scores_are_told_apart_by_their_odds() -> None:
    scores = np.array([1e-6, 1.01e-6, 0.01, 0.0101, 0.5, 0.501, 0.99, 0.9901, 1.0 - 1e-6])
    steps = log_odds_step(scores).tolist()
    assert steps == sorted(set(steps))
    assert log_odds_step(np.array([0.5]))[0] == log_odds_step(np.array([0.5001]))[0]


def test_numbers_are_told_apart_to_a_hundredth_of_their_size() -> None:
    numbers = [-300.0, -2.0, -0.5, -1e-6, 0.0, 1e-6, 0.010, 0.0102, 1.0, 1.02, 300.0, 306.0]
    steps = ordinal(np.array(numbers)).tolist()
    assert steps == sorted(set(steps))
    assert ordinal(np.array([1.0]))[0] == ordinal(np.array([1.001]))[0]
