"""AUC and NDCG of many lists at once are those of each list, by hand and against scikit-learn."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.evaluate.metrics.jackknife import PARTS
from pipeline.evaluate.metrics.list_metrics import (
    ListRows,
    auc_totals,
    list_average,
    ndcg_totals,
    totals_by_part,
)
from pipeline.evaluate.metrics.ranking_metrics import pairwise_auc


def ndcg_at(k: int, gains: np.ndarray, scores: np.ndarray) -> float:
    """NDCG of one list; NaN if it weighs nothing."""
    rows = ListRows(np.zeros(len(gains), np.int64), gains, np.ones(len(gains)), scores)
    [[value, weight]] = ndcg_totals(rows, 1, k)
    assert weight in (0.0, 1.0)
    return float(value) if weight else math.nan


def test_it_is_worked_by_hand() -> None:
    # Ranked by score, gains are 1, 0, 3; the best order is 3, 1, 0. The second place counts 1 /
    # log2 3 = .63093, and no third.
    assert ndcg_at(2, np.array([0.0, 1.0, 3.0]), np.array([0.5, 0.9, 0.1])) == pytest.approx(
        1.0 / (3.0 + 0.63093), abs=1e-5
    )


def test_equal_scores_share_their_places() -> None:
    # The gains 1 and 0 are in the places that count 1 and .63093, in either order: (1 + .63093) /
    # 2.
    assert ndcg_at(2, np.array([0.0, 1.0]), np.array([0.5, 0.5])) == pytest.approx(
        0.815465, abs=1e-5
    )


@pytest.mark.parametrize("k", [1, 3, 10, 40])
def test_it_is_scikit_learns(k: int) -> None:
    from sklearn.metrics import ndcg_score

    random = np.random.default_rng(k)
    for _ in range(20):
        gains, scores = (
            random.integers(0, 4, 20).astype(float),
            random.integers(0, 12, 20).astype(float),
        )
        assert ndcg_at(k, gains, scores) == pytest.approx(ndcg_score([gains], [scores], k=k))


def test_a_list_without_gains_has_none() -> None:
    assert math.isnan(ndcg_at(3, np.zeros(2), np.ones(2)))


ROWS = st.lists(
    st.tuples(
        st.integers(0, 4),  # list
        st.integers(0, 3),  # label
        st.sampled_from([0.25, 1.0, 2.0]),  # weight
        st.integers(0, 4),  # score
    ),
    max_size=40,
)


def columns(rows: list[tuple[float, ...]]) -> ListRows:
    lists, labels, weights, scores = np.array(rows, np.float64).reshape(-1, 4).T
    return ListRows(lists.astype(np.int64), labels, weights, scores)


@given(ROWS, st.integers(1, 3))
def test_each_lists_auc_is_that_of_its_examples_alone(
    rows: list[tuple[float, ...]], highest: int
) -> None:
    """With two labels, and with more."""
    rows = [(one, min(label, highest), weight, score) for one, label, weight, score in rows]
    found = auc_totals(columns(rows), 5)
    for number in range(5):
        of_list = columns([row for row in rows if row[0] == number])
        value = pairwise_auc(of_list.labels, of_list.scores, of_list.weights)
        weight = of_list.weights.sum()
        expected = [0.0, 0.0] if math.isnan(value) else [weight * value, weight]
        assert found[number] == pytest.approx(expected)


@given(ROWS, st.integers(1, 4))
def test_each_lists_ndcg_is_that_of_its_examples_alone(
    rows: list[tuple[float, ...]], k: int
) -> None:
    found = ndcg_totals(columns(rows), 5, k)
    for number in range(5):
        of_list = columns([row for row in rows if row[0] == number])
        value = ndcg_at(k, of_list.labels, of_list.scores)
        assert found[number] == pytest.approx([0.0, 0.0] if math.isnan(value) else [value, 1.0])


@pytest.mark.parametrize("score", [math.nan, math.inf])
def test_a_score_that_is_no_number_leaves_the_average_without_a_value(score: float) -> None:
    rows = columns([(0, 1, 1, 0.5), (0, 0, 1, score), (1, 1, 1, 0.5), (1, 0, 1, 0.1)])
    for totals in (auc_totals(rows, 2), ndcg_totals(rows, 2, 10)):
        assert math.isnan(totals[0, 0])
        assert totals[1].tolist() == [totals[1, 1], totals[1, 1]]
        by_part = totals_by_part(totals, np.array([0, 1]), np.arange(2), np.zeros(2, np.int64), 1)
        assert math.isnan(list_average(by_part[0])[0])


def test_a_list_without_a_value_spoils_nothing_whatever_its_scores() -> None:
    rows = columns([(0, 1, 1, math.nan), (1, 1, 1, 0.5), (1, 0, 1, 0.1)])
    assert auc_totals(rows, 2).tolist() == [[0.0, 0.0], [2.0, 2.0]]


def test_a_list_counts_in_its_part_of_each_slice_that_holds_it() -> None:
    totals = np.array([[0.5, 1.0], [2.0, 4.0], [3.0, 3.0]])
    # Lists 0 and 2 lie in the first slice, 1 and 2 in the second; parts are 3, 3 and 7.
    found = totals_by_part(
        totals, np.array([3, 3, 7]), np.array([0, 2, 1, 2]), np.array([0, 0, 1, 1]), 2
    )
    expected = np.zeros((2, PARTS, 2))
    expected[0, 3], expected[0, 7] = [0.5, 1.0], [3.0, 3.0]
    expected[1, 3], expected[1, 7] = [2.0, 4.0], [3.0, 3.0]
    assert found.tolist() == expected.tolist()
    # All lists of the second slice, then without part 3, then without part 7.
    assert list_average(found[1]).tolist() == [5.0 / 7.0, 1.0, 0.5]


def test_without_lists_there_is_no_average() -> None:
    assert np.isnan(list_average(np.zeros((PARTS, 2)))).tolist() == [True]
