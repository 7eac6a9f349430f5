"""Synthetic data follow the recipe of the papers."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.papers.data_sets.synthetic import DIMENSIONS, synthetic_examples


def mean_label_correlation(correlation: float, draws: int = 60) -> float:
    examples = [synthetic_examples(correlation, 1000, seed)["y"] for seed in range(draws)]
    return float(np.mean([np.corrcoef(y.T)[0, 1] for y in examples]))


@pytest.mark.parametrize(
    ("correlation", "labels"), [(0.2, 0.112), (0.5, 0.321), (0.75, 0.591), (1.0, 0.991)]
)
def test_the_labels_correlate_as_the_recipe_makes_them(correlation, labels):
    # Over 200 draws their deviation is about .1, so the mean of 60 lies within 4 · .1 / √60 = .05.
    assert mean_label_correlation(correlation) == pytest.approx(labels, abs=0.05)


def test_at_correlation_1_the_labels_differ_by_noise_alone():
    y = synthetic_examples(1.0, 20_000, seed=0)["y"]
    # Twice the noise's variance of .01.
    assert np.var(y[:, 0] - y[:, 1]) == pytest.approx(0.02, rel=0.05)


def test_a_seed_draws_the_same_examples_again_and_another_seed_others():
    first, again, other = (synthetic_examples(0.5, 10, seed)["y"] for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_an_example_has_512_numbers_and_two_labels():
    data = synthetic_examples(0.5, 10, seed=0)
    assert (data["x"].shape, data["y"].shape) == ((10, DIMENSIONS), (10, 2))
    assert DIMENSIONS == 512
