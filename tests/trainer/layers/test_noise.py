"""Noise follows from the seed, the step and the layer, compiled or not."""

from __future__ import annotations

import numpy as np
import pytest

tf = pytest.importorskip("tensorflow")
from trainer.layers.gates import HardConcreteGate  # noqa: E402
from trainer.layers.noise import Dropout, noise_of, random_mask, uniform_noise  # noqa: E402

pytestmark = pytest.mark.tensorflow


DRAWS = {
    "uniform": lambda: uniform_noise([200], 0.0, 1.0, tf.float32),
    "mask": lambda: random_mask(tf.constant([200]), 0.5),
}


@pytest.fixture(params=DRAWS)
def drawn(request):
    """Draws twice at this seed and step, by each kind of noise."""

    def draw(seed, step):
        with noise_of(seed, tf.constant(step, tf.int64)):
            return [DRAWS[request.param]().numpy() for _ in range(2)]

    return draw


def test_one_seed_and_step_draw_the_same_noise(drawn):
    np.testing.assert_array_equal(drawn(1, 5), drawn(1, 5))


@pytest.mark.parametrize("other", [(2, 5), (1, 6), (1 + (1 << 31), 5), (-1, 5)])
def test_other_seeds_and_steps_draw_other_noise(drawn, other):
    assert not np.array_equal(drawn(1, 5), drawn(*other))


def test_each_layer_draws_its_own_noise(drawn):
    first, second = drawn(1, 5)
    assert not np.array_equal(first, second)


def test_masks_of_steps_and_places_do_not_depend_on_each_other():
    with noise_of(7, tf.constant(0)):
        masks = np.stack([random_mask(tf.constant([64, 256]), 0.5).numpy() for _ in range(40)])
    for axis in (0, 1, 2):
        # Each mean over an axis of n fair coins has a standard deviation of ½ / √n.
        means = masks.mean(axis=axis)
        expected = 0.5 / np.sqrt(masks.shape[axis])
        assert means.std() == pytest.approx(expected, rel=0.05)
    flat = masks.reshape(-1).astype("f4") - 0.5
    for shift in (1, 2, 8, 256, 64 * 256):
        # Neighbours agree as often as not: 4 · covariance has a standard deviation of .0012.
        assert abs(4.0 * np.mean(flat[:-shift] * flat[shift:])) < 0.006


@pytest.mark.parametrize("layer", [Dropout(0.5), HardConcreteGate([50])])
def test_xla_draws_the_same_noise_each_time(layer):
    @tf.function(jit_compile=True, autograph=False)
    def compiled(step):
        with noise_of(3, step):
            return layer(tf.ones([4, 50]), training=True)

    layer(tf.ones([4, 50]))
    one, again, other = (compiled(tf.constant(step, tf.int64)).numpy() for step in (1, 1, 2))
    np.testing.assert_array_equal(one, again)
    assert not np.array_equal(one, other)


def test_dropout_keeps_the_mean_and_the_rest_of_the_values():
    # A share of .2 of 100,000 is dropped: the standard deviation of the share is .0013.
    with noise_of(0, tf.constant(0)):
        dropped = Dropout(0.2)(tf.ones([100_000]), training=True).numpy()
    assert np.mean(dropped == 0.0) == pytest.approx(0.2, abs=0.006)
    np.testing.assert_allclose(dropped[dropped > 0.0], 1.25)


@pytest.mark.parametrize("training", [False, None])
def test_outside_of_training_nothing_is_dropped(training):
    assert Dropout(0.9)(tf.ones([5]), training=training).numpy().tolist() == [1.0] * 5


def test_in_anybodys_model_noise_is_drawn_anew_each_time():
    layer = Dropout(0.5)
    first, second = (layer(tf.ones([100]), training=True).numpy() for _ in range(2))
    assert not np.array_equal(first, second)
