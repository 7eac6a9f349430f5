"""Served scores against the trainer's, worked by hand."""

from __future__ import annotations

import numpy as np
import pytest

from serving.push_check.criteria import largest_difference

NAN, INFINITE = float("nan"), float("inf")


def difference(served: list[float], trainers: list[float]) -> float:
    return largest_difference("rank", {"click": (np.array(served), np.array(trainers))}).size


def test_the_largest_difference_is_named_with_both_scores() -> None:
    found = largest_difference(
        "rank of 2 rows",
        {
            "click": (np.array([0.5, 0.25]), np.array([0.5, 0.26])),
            "like": (np.array([0.1, 0.4]), np.array([0.1, 0.1])),
        },
    )
    assert (found.score, found.row) == ("like", 1)
    assert found.refusal(0.01) == (
        "rank of 2 rows: like of row 1 is 0.4 over gRPC and 0.1 in the trainer's export; "
        "they differ by 0.3, more than serving.score_tolerance 0.01"
    )


def test_a_difference_is_relative_above_one() -> None:
    # |220 − 200| / 200
    assert difference([220.0], [200.0]) == pytest.approx(0.1)


def test_a_difference_of_a_score_with_a_larger_unit_is_relative_above_that() -> None:
    scores = {"log_ranking_score": (np.array([3.0, -250.0]), np.array([2.0, -200.0]))}
    # |3 − 2| / 10 and |250 − 200| / 200
    assert largest_difference("rank", scores, {"log_ranking_score": 10.0}).size == 0.25


def test_ranking_scores_that_float32_takes_for_zero_differ_by_their_logarithms() -> None:
    scores = {
        "ranking_score": (np.zeros(1), np.zeros(1)),
        "log_ranking_score": (np.array([-100.0]), np.array([-101.0])),
    }
    found = largest_difference("rank", scores)
    assert (found.score, found.size) == ("log_ranking_score", pytest.approx(1 / 101))


@pytest.mark.parametrize(
    ("served", "trainers", "size"), [(NAN, 0.5, INFINITE), (0.5, NAN, INFINITE), (INFINITE, 0.5, INFINITE), (NAN, NAN, 0.0), (INFINITE, INFINITE, 0.0)]
)  # fmt: skip
def test_a_score_that_is_no_number_on_one_side_only_differs_without_bound(
    served: float, trainers: float, size: float
) -> None:
    assert difference([0.5, served], [0.5, trainers]) == size


def test_fewer_scores_than_rows_are_no_answer() -> None:
    with pytest.raises(
        ValueError, match=r"click has the shape \(1,\) over gRPC, \(2,\) in the trainer's export"
    ):
        difference([0.5], [0.5, 0.5])
