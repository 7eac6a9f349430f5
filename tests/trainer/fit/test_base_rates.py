"""A network that knows nothing predicts the mean of the labels."""

from __future__ import annotations

import numpy as np
import pytest

tf = pytest.importorskip("tensorflow")
from trainer.fit.base_rates import begin_at_base_rates  # noqa: E402
from trainer.inputs.examples import Examples  # noqa: E402
from trainer.network.network import Network  # noqa: E402

pytestmark = pytest.mark.tensorflow


@pytest.fixture
def begun(layout, features, settings):
    """Begin a network at the base rates of these labels and masks."""

    def make(labels, masks):
        network = Network(layout, settings("shared_bottom"), name="network")
        rows = {
            name: np.resize(values, (len(labels), values.shape[1]))
            for name, values in features.items()
        }
        examples = Examples(
            {**rows, "labels": np.array(labels, "f4"), "masks": np.array(masks, "f4")}
        )
        network(examples.first_rows(2))
        for tower in network.towers:
            tower.logit.kernel.assign(tf.zeros_like(tower.logit.kernel))
        begin_at_base_rates(network, examples)
        logits = network(examples.first_rows(2))
        return network, {task: float(values[0]) for task, values in logits.items()}

    return make


def test_heads_begin_at_the_means_of_their_sample_spaces(begun):
    # 2 positives of 9: (2 + .5) / 10 = 1/4, whose logit is −log 3. A label outside does not count,
    # even if it is none.
    labels = [[1, 3.0], [1, 5.0], [0, np.nan]] + [[0, 4.0]] * 6 + [[np.nan, 99.0]]
    masks = [[1, 1], [1, 1], [1, 0]] + [[1, 0]] * 6 + [[0, 0]]
    network, logits = begun(labels, masks)
    assert logits == pytest.approx({"click": -np.log(3.0), "ratio": 4.0}, abs=1e-6)
    assert float(network.towers[1].deviation) == 1.0


@pytest.mark.parametrize("positives", [0, 4])
def test_labels_that_are_all_alike_begin_at_a_finite_logit(begun, positives):
    labels = [[positives > 0, 7.0]] * 4
    network, logits = begun(labels, np.ones([4, 2]))
    assert np.isfinite(logits["click"])
    assert logits["ratio"] == 7.0
    assert float(network.towers[1].deviation) == 1.0


def test_a_task_without_a_row_begins_at_zero(begun):
    _, logits = begun([[1, 3.0]] * 3, np.zeros([3, 2]))
    assert logits == {"click": 0.0, "ratio": 0.0}


def test_large_labels_keep_their_deviation(begun, monkeypatch):
    # Squares of 10⁸ lose the deviation of 1 in float32.
    monkeypatch.setattr("trainer.fit.base_rates._CHUNK_ROWS", 3)
    labels = [[0, 1e7 - 1], [0, 1e7 + 1]] * 5
    network, logits = begun(labels, np.ones([10, 2]))
    assert logits["ratio"] == 1e7
    assert float(network.towers[1].deviation) == pytest.approx(1.0)


def test_rows_count_by_their_weights(begun):
    # Weights 3 and 1 of a positive and a negative: (3 + .5) / 5 = .7. The mean of 2 and 6 with
    # weights 3 and 1 is 3, the variance (3 · 1 + 1 · 9) / 4 = 3. The last row weighs nothing.
    labels, masks = [[1, 2.0], [0, 6.0], [0, 99.0]], [[3, 3], [1, 1], [0, 0]]
    network, logits = begun(labels, masks)
    assert logits == pytest.approx({"click": np.log(0.7 / 0.3), "ratio": 3.0}, abs=1e-6)
    assert float(network.towers[1].deviation) == pytest.approx(np.sqrt(3.0))


def test_small_weights_begin_at_the_same_mean(begun):
    _, logits = begun([[1, 2.0], [0, 6.0]], [[0.003, 0.003], [0.001, 0.001]])
    assert logits["ratio"] == pytest.approx(3.0)
