"""Statistics of rows that come in batches."""

from __future__ import annotations

import numpy as np
import pytest

from trainer.inspect.collect import StreamingMoments


def test_mean_deviation_and_zeros_of_batches_of_unequal_size():
    statistics = StreamingMoments(2)
    statistics.add(np.array([[0.0, 1.0], [3.0, 0.0]], "f4"))
    statistics.add(np.array([[6.0, 0.0]], "f4"))
    assert statistics.rows == 3
    # Means 9/3 and 1/3; mean squares of deviations (9 + 0 + 9)/3 = 6 and (4 + 1 + 1)/27 = 2/9.
    np.testing.assert_allclose(statistics.mean, [3.0, 1 / 3])
    np.testing.assert_allclose(statistics.standard_deviation, [6**0.5, (2 / 9) ** 0.5])
    np.testing.assert_allclose(statistics.zero_share, [1 / 3, 2 / 3])


def test_a_small_deviation_from_a_large_mean_is_not_lost():
    # In float32 steps of 2^-10 around 8192; a sum of squares in float32 would round them away.
    statistics = StreamingMoments(1)
    for value in (8192.0, 8192.0 + 2**-10):
        statistics.add(np.array([[value]], "f4"))
    assert statistics.standard_deviation[0] == pytest.approx(2**-11)


def test_small_numbers_are_not_zeros():
    statistics = StreamingMoments(1)
    statistics.add(np.array([[1e-30], [0.0]], "f4"))
    assert statistics.zero_share[0] == 0.5
