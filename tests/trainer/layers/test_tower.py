"""Towers, worked by hand."""

from __future__ import annotations

import numpy as np
import pytest

tf = pytest.importorskip("tensorflow")
from trainer.layers.tower import Tower  # noqa: E402

pytestmark = pytest.mark.tensorflow


def test_a_tower_is_relu_layers_and_one_linear_unit():
    tower = Tower([1])
    tower(tf.ones([1, 2]))
    # relu(1·3 + 1·(−1)) = 2; −4·2 + 1 = −7: the logit itself is not cut off.
    tower.set_weights([np.ones((2, 1)), np.zeros(1), np.array([[-4.0]]), np.array([1.0])])
    assert tower(tf.constant([[3.0, -1.0]])).numpy().tolist() == [-7.0]


def test_a_batch_of_one_gives_one_logit():
    assert Tower([4])(tf.ones([1, 3])).shape == [1]


def test_a_tower_without_hidden_layers_is_linear():
    tower = Tower([])
    assert tower(tf.ones([2, 3])).shape == [2]
    assert len(tower.trainable_variables) == 2
