"""The network: one request for many candidates scores as if each candidate brought the request along."""

from __future__ import annotations

import numpy as np
import pytest

tf = pytest.importorskip("tensorflow")
from trainer.network.network import Network  # noqa: E402
from trainer.settings.model_config import MODELS  # noqa: E402

pytestmark = pytest.mark.tensorflow


@pytest.mark.parametrize("name", list(MODELS))
def test_one_request_scores_as_repeated_requests(name, layout, features, settings):
    tf.keras.utils.set_random_seed(3)
    network = Network(layout, settings(name))
    repeated = {
        key: np.repeat(value[:1], 9, axis=0) if key.startswith("request") else value[:9]
        for key, value in features.items()
    }
    once = {
        key: value[:1] if key.startswith("request") else value for key, value in repeated.items()
    }
    as_tensors = [
        {key: tf.constant(value) for key, value in batch.items()} for batch in (repeated, once)
    ]
    whole = network(as_tensors[0])
    split = network(as_tensors[1], one_request=True)
    for task in layout.tasks:
        assert split[task].shape == [9]
        np.testing.assert_allclose(whole[task], split[task], atol=1e-6)


@pytest.mark.parametrize("name", list(MODELS))
def test_a_batch_of_one_scores_as_in_a_larger_batch(name, layout, features, settings):
    network = Network(layout, settings(name))
    batch = {key: tf.constant(value[:5]) for key, value in features.items()}
    single = {key: value[:1] for key, value in batch.items()}
    for task in layout.tasks:
        np.testing.assert_allclose(network(batch)[task][:1], network(single)[task], atol=1e-6)


def test_tables_of_single_task_are_not_shared(layout, features, settings):
    network = Network(layout, settings("single_task"))
    batch = {key: tf.constant(value) for key, value in features.items()}
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(network(batch)["click"])
    gradients = tape.gradient(loss, network.trainable_variables)
    reached = {
        variable.name.split("/")[1]
        for variable, g in zip(network.trainable_variables, gradients, strict=True)
        if g is not None
    }
    assert not any(name.endswith(("_1", "_ratio")) for name in reached)
    assert "embedding_0" in reached


def test_heads_give_probabilities_to_binary_tasks_and_leave_regressions(layout, settings):
    scores = Network(layout, settings()).scores(
        {"click": tf.constant([0.0]), "ratio": tf.constant([-3.0])}
    )
    assert scores["click"].numpy().tolist() == [0.5]
    assert scores["ratio"].numpy().tolist() == [-3.0]
