"""Intervals of differences."""

from __future__ import annotations

import numpy as np
import pytest

from trainer.formula_search.replay import difference_intervals


def test_the_interval_is_that_of_the_normal_distribution_where_there_are_many_groups():
    random = np.random.default_rng(0)
    differences = random.normal(0.1, 1.0, (2500, 1))
    lower, upper = difference_intervals(differences, np.arange(2500), seed=1)
    # 1.96 / √2500 = .0392 to either side.
    assert lower[0] == pytest.approx(differences.mean() - 0.0392, abs=0.004)
    assert upper[0] == pytest.approx(differences.mean() + 0.0392, abs=0.004)


def test_groups_of_one_user_that_are_alike_count_as_one():
    random = np.random.default_rng(0)
    of_users = random.normal(0.0, 1.0, (100, 1))
    unit = np.repeat(np.arange(100), 25)
    as_users = np.ptp(difference_intervals(of_users[unit], unit, seed=1))
    as_groups = np.ptp(difference_intervals(of_users[unit], np.arange(2500), seed=1))
    # √25 times as wide.
    assert as_users / as_groups == pytest.approx(5.0, rel=0.15)


def test_no_difference_anywhere_has_no_width_and_equal_seeds_give_equal_intervals():
    differences = np.stack([np.zeros(50), np.arange(50.0)], axis=1)
    intervals = difference_intervals(differences, np.arange(50), seed=3)
    assert intervals[:, 0].tolist() == [0.0, 0.0]
    assert intervals.tolist() == difference_intervals(differences, np.arange(50), seed=3).tolist()
