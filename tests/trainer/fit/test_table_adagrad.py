"""Tables learn alike whatever the batch size."""

from __future__ import annotations

import numpy as np
import pytest

tf = pytest.importorskip("tensorflow")
from trainer.fit.optimizers import table_adagrad  # noqa: E402
from trainer.settings.train_config import TrainerSettings  # noqa: E402

pytestmark = pytest.mark.tensorflow


def learnt(batch_size, gradients, accumulator=0.04):
    """Return a row after steps of these gradients of one example, each a share of a batch's mean."""
    settings = TrainerSettings(
        batch_size=batch_size,
        embedding_learning_rate=0.5,
        embedding_initial_accumulator=accumulator,
    )
    table, optimizer = tf.Variable([[1.0], [1.0]]), table_adagrad(settings)
    for gradient in gradients:
        of_mean = tf.IndexedSlices(tf.constant([[gradient / batch_size]]), [0], [2, 1])
        optimizer.apply_gradients([(of_mean, table)])
    assert float(table[1, 0]) == 1.0
    return float(table[0, 0])


def test_a_step_divides_by_the_root_of_the_squares_of_an_examples_gradients():
    # Accumulator .04 + .3² = .13, then .13 + .4² = .29.
    expected = 1.0 - 0.5 * (0.3 / np.sqrt(0.13) + 0.4 / np.sqrt(0.29))
    assert learnt(1, [0.3, 0.4]) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("batch_size", [16, 256, 4096, 65536])
def test_the_batch_size_does_not_matter(batch_size):
    assert learnt(batch_size, [0.3, 0.4]) == pytest.approx(learnt(1, [0.3, 0.4]), abs=1e-6)
