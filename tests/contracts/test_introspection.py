"""What every model keeps to when it shows its inside."""

from __future__ import annotations

import numpy as np
import pytest

tf = pytest.importorskip("tensorflow")
from trainer.inspect.expert_outputs import expert_outputs  # noqa: E402
from trainer.inspect.introspection import (  # noqa: E402
    closed_shares,
    field_masks,
    gate_weights,
    gated_blocks,
    mixtures,
)
from trainer.network.network import build_architecture  # noqa: E402
from trainer.settings.model_config import MODELS  # noqa: E402

pytestmark = pytest.mark.tensorflow

FIELD_WIDTHS = (4, 3, 1)
# Names that could be taken for those of shared parts.
TASKS = ["shared", "own", "1"]
# A model with the options of another paper.
HOME = "ple as home"
HOME_OPTIONS = {
    "expert_activation": "swish",
    "expert_norm": "rms",
    "feature_gate_rank": 2,
    "self_gate": True,
    "task_groups": [["shared", "1"], ["own"]],
}
EVERY_MODEL = pytest.mark.parametrize("name", [*MODELS, HOME])
WITH_EXPERTS = {"mmoe", "ml_mmoe", "cgc", "ple", "stem", "adatt", HOME}
SHOWN = {
    "gate_weights": WITH_EXPERTS,
    "expert_outputs": WITH_EXPERTS,
    "field_masks": {"mssm"},
    "gated_blocks": {"snr_aver", "snr_trans", "mssm", "dselect_k"},
    "mixtures": {"cross_stitch", "sluice", "adatt"},
}


def built(name, **settings):
    tf.keras.utils.set_random_seed(3)
    if name == HOME:
        name, settings = "ple", {**HOME_OPTIONS, **settings}
    model = build_architecture(MODELS[name](**settings), TASKS, FIELD_WIDTHS, name="sharing")
    x = tf.constant(np.random.default_rng(0).normal(size=(6, sum(FIELD_WIDTHS))).astype("f4"))
    inputs = [x] * model.embeddings
    model(inputs)
    return model, inputs


@EVERY_MODEL
def test_a_model_shows_what_it_has_and_nothing_else(name):
    model, inputs = built(name)
    shown = {
        "gate_weights": gate_weights(model, inputs, TASKS),
        "expert_outputs": expert_outputs(model, inputs, TASKS),
        "field_masks": field_masks(model, inputs, TASKS),
        "gated_blocks": gated_blocks(model, TASKS),
        "mixtures": mixtures(model, TASKS),
    }
    assert {kind for kind, found in shown.items() if found} == {
        kind for kind, models in SHOWN.items() if name in models
    }


@pytest.mark.parametrize("name", sorted(SHOWN["gate_weights"]))
def test_each_gate_weighs_named_experts_that_sum_to_one(name):
    model, inputs = built(name)
    for gate in gate_weights(model, inputs, TASKS).values():
        assert gate.weights.shape == (6, len(gate.experts))
        assert len(set(gate.experts)) == len(gate.experts)
        np.testing.assert_allclose(np.sum(gate.weights, axis=1), 1.0, atol=1e-6)


@pytest.mark.parametrize("name", sorted(SHOWN["expert_outputs"]))
def test_the_outputs_of_each_level_are_those_of_the_experts_that_its_gates_weigh(name):
    model, inputs = built(name)
    outputs = expert_outputs(model, inputs, TASKS)
    gates = gate_weights(model, inputs, TASKS)
    for level, found in outputs.items():
        assert found.outputs.shape[:2] == (6, len(found.experts))
        assert found.zeros.shape == found.sizes.shape == (6, len(found.experts))
        weighed = {
            expert
            for name, gate in gates.items()
            if name.startswith(level)
            for expert in gate.experts
        }
        assert weighed == set(found.experts)
    # Swish has no zeros, and half of the units of a ReLU are 0 at the start.
    zeros = np.mean(np.concatenate([found.zeros for found in outputs.values()], axis=1))
    assert zeros == 0.0 if name == HOME else 0.2 < zeros < 0.8


def test_each_sub_network_masks_each_field():
    model, inputs = built("mssm")
    masks = field_masks(model, inputs, TASKS)
    assert list(masks) == ["own of shared", "own of own", "own of 1", "shared"]
    assert all(mask.shape == (6, len(FIELD_WIDTHS)) for mask in masks.values())


@pytest.mark.parametrize("name", sorted(SHOWN["gated_blocks"] - {"dselect_k"}))
def test_blocks_are_told_apart_and_their_closed_share_is_that_of_the_model(name):
    model, _ = built(name)
    variables = [variable for variable in model.trainable_variables if "log_alpha" in variable.name]
    for variable in variables:
        # σ(±20) stretches to 1 and to exactly 0.
        variable.assign(
            np.where(np.arange(tf.size(variable)) % 3 == 0, -20.0, 20.0).reshape(variable.shape)
        )
    blocks = gated_blocks(model, TASKS)
    assert len({(block.connection, block.source, block.target) for block in blocks}) == len(blocks)
    assert sum(len(block.gates) for block in blocks) == sum(
        int(tf.size(variable)) for variable in variables
    )
    (share,) = closed_shares(model).values()
    assert share == pytest.approx(np.mean(np.concatenate([block.gates for block in blocks]) == 0.0))
    assert 0.3 < share < 0.4


@pytest.mark.parametrize("name", sorted(SHOWN["mixtures"]))
def test_each_coefficient_has_a_source_and_a_target(name):
    model, _ = built(name)
    for mixture in mixtures(model, TASKS):
        assert mixture.values.shape[:2] == (len(mixture.targets), len(mixture.sources))
        assert len(set(mixture.sources)) == len(mixture.sources)


@EVERY_MODEL
def test_introspection_is_the_same_in_mixed_precision_to_its_rounding(name):
    exact, inputs = built(name)
    tf.keras.mixed_precision.set_global_policy("mixed_bfloat16")
    try:
        half, _ = built(name)
        half.set_weights(exact.get_weights())
        gates, masks, blocks = (
            gate_weights(half, inputs, TASKS),
            field_masks(half, inputs, TASKS),
            gated_blocks(half, TASKS),
        )
    finally:
        tf.keras.mixed_precision.set_global_policy("float32")
    for gate, expected in gate_weights(exact, inputs, TASKS).items():
        np.testing.assert_allclose(
            tf.cast(gates[gate].weights, tf.float32), expected.weights, atol=0.03
        )
    for subnetwork, expected in field_masks(exact, inputs, TASKS).items():
        np.testing.assert_allclose(tf.cast(masks[subnetwork], tf.float32), expected, atol=0.03)
    for block, expected in zip(blocks, gated_blocks(exact, TASKS), strict=True):
        np.testing.assert_allclose(block.gates, expected.gates, atol=0.01)
