"""Export in bfloat16: every model's scores stay near those in float32, and heads and tables stay in float32."""

from __future__ import annotations

import numpy as np
import pytest

from trainer.settings.model_config import MODELS

tf = pytest.importorskip("tensorflow")
from trainer.export.served_network import half_precision_network  # noqa: E402
from trainer.network.network import Network  # noqa: E402

pytestmark = pytest.mark.tensorflow


@pytest.fixture(scope="module")
def made(layout, features):
    """Gives a network of a model, whose scores differ between rows, and its features."""
    from trainer.settings.train_config import parse_settings

    def make(name):
        tf.keras.utils.set_random_seed(0)
        network = Network(layout, parse_settings({"name": name, "tower_units": [8]}, {}))
        inputs = {key: tf.constant(values) for key, values in features.items()}
        network(inputs)
        for table in network.embedding_tables:
            table.assign(tf.random.normal(table.shape, stddev=0.3))
        return network, inputs

    return make


@pytest.mark.parametrize("name", MODELS)
def test_scores_stay_near_those_in_float32(made, name):
    network, inputs = made(name)
    half = half_precision_network(network)
    for task, logits in half(inputs).items():
        exact = network(inputs)[task]
        assert logits.dtype == tf.float32
        # bfloat16 keeps 8 bits: a rounding is up to 1/256 of a value, here of logits that spread
        # over about 1.
        difference = np.abs(logits - exact)
        assert 0.0 < difference.max() < 0.05 * max(1.0, np.abs(exact).max())


@pytest.mark.parametrize("name", ["ple", "mssm", "single_task"])
def test_one_request_scores_as_its_rows_do(made, name):
    network, inputs = made(name)
    half = half_precision_network(network)
    one = {
        key: values[:1] if key.startswith("request") else values for key, values in inputs.items()
    }
    rows = {key: tf.repeat(values[:1], len(values), axis=0) if key.startswith("request") else values for key, values in inputs.items()}  # fmt: skip
    for task, logits in half(one, one_request=True).items():
        np.testing.assert_allclose(logits, half(rows)[task], atol=0.05)


def test_tables_are_shared_and_stay_as_they_are(made):
    network, _ = made("ple")
    half = half_precision_network(network)
    assert half.embeddings is network.embeddings
    assert {table.dtype for table in network.embedding_tables} == {tf.float32}
    assert half.towers[0].hidden[0].compute_dtype == "bfloat16"
    assert half.towers[0].logit.compute_dtype == "float32"


def test_other_layers_are_made_in_float32_afterwards(made):
    half_precision_network(made("shared_bottom")[0])
    assert tf.keras.layers.Dense(1).compute_dtype == "float32"
