"""Averages of weights, worked by hand."""

from __future__ import annotations

import math
from types import SimpleNamespace

import pytest

tf = pytest.importorskip("tensorflow")
from trainer.fit.weight_averages import WeightAverages  # noqa: E402

pytestmark = pytest.mark.tensorflow


@pytest.fixture
def network():
    weight, table = tf.Variable([1.0]), tf.Variable([[1.0]])
    return SimpleNamespace(trainable_variables=[weight, table], embedding_tables=[table])


def test_the_average_begins_with_the_first_weights_and_forgets_a_share_1_by_e_after_its_steps(
    network,
):
    weight, _ = network.trainable_variables
    averages = WeightAverages(network, steps=10)
    weight.assign([2.0])
    averages.follow(10)
    weight.assign([6.0])
    averages.follow(10)
    kept = math.exp(-1)
    assert averages.averages[0].numpy() == pytest.approx([2 * kept + 6 * (1 - kept)])


def test_averages_stand_in_for_weights_but_not_for_tables_until_the_context_ends(network):
    weight, table = network.trainable_variables
    averages = WeightAverages(network, steps=10)
    weight.assign([2.0])
    averages.follow(1)
    weight.assign([6.0])
    table.assign([[5.0]])
    with averages.in_place():
        assert (weight.numpy(), table.numpy()) == ([2.0], [[5.0]])
    assert weight.numpy() == [6.0]


def test_before_the_first_step_weights_stay(network):
    weight, _ = network.trainable_variables
    averages = WeightAverages(network, steps=10)
    weight.assign([6.0])
    with averages.in_place():
        assert weight.numpy() == [6.0]
