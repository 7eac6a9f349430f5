"""The tower over what only training knows of an exposure, against NumPy."""

from __future__ import annotations

import numpy as np
import pytest

tf = pytest.importorskip("tensorflow")
from trainer.layers.fields.exposure_tower import ExposureTower  # noqa: E402

pytestmark = pytest.mark.tensorflow


def made(rates=(0.5, 0.5), tasks=2, rows=400):
    random = np.random.default_rng(0)
    values = [random.normal(size=(rows + 1, width)).astype("f4") for width in (3, 2)]
    tower = ExposureTower(tasks, rates, units=4)
    tower([tf.constant(value) for value in values])
    for weight in tower.weights:
        weight.assign(random.normal(size=weight.shape))
    return tower, values


def effect(tower, place, device):
    """relu([e_place, e_device] W + b) V."""
    w, b, v = (weight.numpy() for weight in tower.weights)
    return np.maximum(np.concatenate([place, device]) @ w + b, 0.0) @ v


def test_without_training_all_values_are_unknown():
    tower, values = made()
    found = tower([tf.constant(value) for value in values])
    np.testing.assert_allclose(found, [effect(tower, values[0][-1], values[1][-1])], rtol=1e-5)


def test_in_training_each_value_is_known_or_unknown_on_its_own():
    tf.keras.utils.set_random_seed(1)
    tower, (places, devices) = made(rates=(0.25, 0.5))
    found = tower([tf.constant(places), tf.constant(devices)], training=True).numpy()
    assert found.shape == (400, 2)
    counts = dict.fromkeys([(0, 0), (0, 1), (1, 0), (1, 1)], 0)
    for row in range(400):
        for drop_place, drop_device in counts:
            place = places[-1] if drop_place else places[row]
            device = devices[-1] if drop_device else devices[row]
            if np.allclose(found[row], effect(tower, place, device), rtol=1e-4, atol=1e-5):
                counts[drop_place, drop_device] += 1
    assert sum(counts.values()) == 400
    # Of 400 rows a quarter lose the place (100 ± 9) and a half the device (200 ± 10).
    assert 60 < counts[1, 0] + counts[1, 1] < 140
    assert 150 < counts[0, 1] + counts[1, 1] < 250


def test_it_begins_at_0():
    tower = ExposureTower(3, (0.1,))
    np.testing.assert_array_equal(tower([tf.ones([5, 2])], training=True), np.zeros((4, 3)))


def test_it_is_made_again_from_its_configuration():
    tower, values = made()
    again = ExposureTower.from_config(tower.get_config())
    inputs = [tf.constant(value) for value in values]
    again(inputs)
    again.set_weights(tower.get_weights())
    np.testing.assert_array_equal(again(inputs), tower(inputs))
