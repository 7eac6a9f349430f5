"""Parts of the examples, and standard errors from leaving out one after the other."""

from __future__ import annotations

import math

import numpy as np
import pytest

from pipeline.evaluate.metrics.jackknife import (
    PARTS,
    part_of,
    standard_error,
    whole_and_without_each,
)


def test_a_key_always_has_the_same_part() -> None:
    # The first 8 bytes of BLAKE2b of "u18", as one number, modulo 20.
    assert part_of(b"u18") == 19


def test_keys_spread_over_all_parts() -> None:
    counts = np.bincount([part_of(str(user).encode()) for user in range(20_000)], minlength=PARTS)
    # Each is binomial: 1,000 with a standard deviation of 31.
    assert abs(counts - 1000).max() < 4.5 * 31


def test_sums_are_those_of_all_and_of_all_but_each_part_that_has_examples() -> None:
    sums, held = np.zeros((PARTS, 1)), np.zeros(PARTS, bool)
    sums[[2, 5], 0], held[[2, 5]] = [1.0, 10.0], True
    assert whole_and_without_each(sums, held).tolist() == [[11.0], [10.0], [1.0]]


def test_the_error_of_a_mean_is_that_of_its_parts() -> None:
    # Parts 1, 2, 6 of one example each: the mean is 3, without each 4, 3.5, 1.5. Their mean is 3:
    # 2/3 · (1 + .25 + 2.25) = 7/3, which is the variance of the parts, 7, over their number.
    assert standard_error(np.array([3.0, 4.0, 3.5, 1.5])) == pytest.approx(math.sqrt(7.0 / 3.0))


@pytest.mark.parametrize("values", [[3.0], [3.0, 3.0], [3.0, 2.0, math.nan]])
def test_there_is_none_with_fewer_than_two_parts_or_a_part_without_which_there_is_no_value(
    values: list[float],
) -> None:
    assert math.isnan(standard_error(np.array(values)))
