"""Dynamic weight averaging, worked by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

tf = pytest.importorskip("tensorflow")
from trainer.loss.balancing import DynamicWeightAverage  # noqa: E402

pytestmark = pytest.mark.tensorflow


def after(epochs, temperature=2.0):
    """λ after epochs of batches, each (losses, sizes)."""
    balancing = DynamicWeightAverage(2, temperature)
    for batches in epochs:
        for losses, sizes in batches:
            balancing.observe(tf.constant(losses), tf.constant(sizes))
        balancing.end_epoch()
    return balancing.task_weights().numpy()


def test_a_task_that_learns_slowly_weighs_more():
    # r = .5 / 1 and 1 / 1; λ = 2 · softmax(.25, .5).
    weights = after([[([1.0, 1.0], [4.0, 4.0])], [([0.5, 1.0], [4.0, 4.0])]])
    total = math.exp(0.25) + math.exp(0.5)
    assert weights == pytest.approx([2 * math.exp(0.25) / total, 2 * math.exp(0.5) / total])


def test_an_epochs_loss_is_the_mean_over_the_rows():
    # Task 1: (1 · 3 + 2 · 1) / 4 = 1.25 in the second epoch after 1.25 in the first: as task 2 r =
    # 1.
    weights = after(
        [[([1.25, 1.0], [4.0, 4.0])], [([1.0, 1.0], [3.0, 4.0]), ([2.0, 1.0], [1.0, 4.0])]]
    )
    assert weights == pytest.approx([1.0, 1.0])


def test_weights_are_1_until_two_epochs_are_over():
    assert after([]) == pytest.approx([1.0, 1.0])
    assert after([[([3.0, 1.0], [4.0, 4.0])]]) == pytest.approx([1.0, 1.0])


def test_equal_rates_give_equal_weights_whatever_the_scale():
    # Both fall by a tenth.
    assert after([[([100.0, 1.0], [4.0, 4.0])], [([90.0, 0.9], [4.0, 4.0])]]) == pytest.approx(
        [1.0, 1.0]
    )


def test_an_epoch_without_a_row_of_a_task_counts_as_no_change():
    # Task 2 has r = 1, task 1 r = .5, as in the first example.
    weights = after([[([1.0, 1.0], [4.0, 4.0])], [([0.5, 0.0], [4.0, 0.0])]])
    total = math.exp(0.25) + math.exp(0.5)
    assert weights == pytest.approx([2 * math.exp(0.25) / total, 2 * math.exp(0.5) / total])


def test_weights_sum_to_the_number_of_tasks():
    random = np.random.default_rng(0)
    for _ in range(20):
        epochs = [[(random.uniform(0, 5, 2).astype("f4"), [4.0, 4.0])] for _ in range(3)]
        assert after(epochs, temperature=random.uniform(0.1, 5)).sum() == pytest.approx(
            2.0, rel=1e-5
        )


def test_a_task_s_loss_is_multiplied_by_its_weight():
    balancing = DynamicWeightAverage(2, 2.0)
    balancing.recent.assign([[0.5, 1.0], [1.0, 1.0]])
    weighed = balancing.weigh([tf.constant(3.0), tf.constant(5.0)], tf.ones(2))
    assert [float(w) for w in weighed] == pytest.approx(
        (balancing.task_weights().numpy() * [3.0, 5.0]).tolist()
    )
