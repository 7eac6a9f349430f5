"""What a formula's order would have brought, on groups worked by hand."""

from __future__ import annotations

import numpy as np
import pytest

from trainer.formula_search.replay import Replay

# Two factors; two groups: one of three exposures, one of two. Gains of two objectives.
LOG_FACTORS = np.array([[1.0, 0.0], [2.0, 5.0], [3.0, -5.0], [0.0, 1.0], [1.0, 0.0]])
GAINS = np.array([[1.0, 0.0], [0.0, 4.0], [2.0, 0.0], [0.0, 10.0], [3.0, 0.0]])
GROUP = np.array([0, 0, 0, 1, 1])


def values(weights, top_k, discount, log_factors=LOG_FACTORS, gains=GAINS, group=GROUP):
    return Replay(log_factors, gains, group, top_k=top_k, discount=discount).values(
        np.array(weights)
    )


def test_the_first_places_are_summed_group_by_group():
    # By the first factor the orders are (third, second, first) and (fifth, fourth). Two places:
    # gains 2 + 0, 0 + 4; 3 + 0, 0 + 10.
    np.testing.assert_allclose(values([1.0, 0.0], 2, "none"), [[2.0, 4.0], [3.0, 10.0]])
    # By the second: (second, first, third) and (fourth, fifth). One place.
    np.testing.assert_allclose(values([0.0, 1.0], 1, "none"), [[0.0, 4.0], [0.0, 10.0]])


def test_a_later_rank_counts_by_its_discount():
    # 1/log2(2) = 1, 1/log2(3) = .63093, 1/log2(4) = .5. Orders as above: 2·1 + 0 + 1·.5; 4·.63093;
    # 3·1; 10·.63093.
    np.testing.assert_allclose(
        values([1.0, 0.0], 10, "log2"), [[2.5, 2.52372], [3.0, 6.30930]], atol=1e-5
    )


def test_weights_of_both_factors_add_up():
    # 1 + 0, 2 + 2.5, 3 − 2.5 = 1, 4.5, .5; and 0 + .5, 1 + 0.
    np.testing.assert_allclose(values([1.0, 0.5], 1, "none"), [[0.0, 4.0], [3.0, 0.0]])


def test_exposures_that_are_equal_to_a_formula_keep_the_given_order():
    np.testing.assert_allclose(values([0.0, 0.0], 1, "none"), [[1.0, 0.0], [0.0, 10.0]])


@pytest.mark.parametrize("discount", ["log2", "none"])
def test_groups_of_all_sizes_are_replayed_as_one_by_one(discount):
    random = np.random.default_rng(0)
    group = np.repeat(np.arange(40), random.integers(2, 30, 40))
    log_factors, gains = random.normal(size=(len(group), 3)), random.normal(size=(len(group), 2))
    weights = np.array([0.5, -1.0, 2.0])
    expected = []
    for one in range(40):
        rows = np.flatnonzero(group == one)
        order = rows[np.argsort(-(log_factors[rows] @ weights))][:5]
        discounts = 1.0 / np.log2(np.arange(2, 7)) if discount == "log2" else np.ones(5)
        expected.append(discounts[: len(order)] @ gains[order])
    np.testing.assert_allclose(
        values(weights, 5, discount, log_factors, gains, group), expected, atol=1e-12
    )
