"""HoME's devices in MMoE, CGC and PLE against a second implementation, written in NumPy."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

tf = pytest.importorskip("tensorflow")
from trainer.inspect.expert_outputs import expert_outputs, feature_gates  # noqa: E402
from trainer.inspect.introspection import gate_weights  # noqa: E402
from trainer.layers.cgc import CGCLevel  # noqa: E402
from trainer.layers.experts import Experts  # noqa: E402
from trainer.layers.feature_gate import FeatureGate  # noqa: E402
from trainer.layers.flat_input import FlatInput  # noqa: E402
from trainer.layers.norms import RMSNorm  # noqa: E402
from trainer.models.mmoe import MMoE  # noqa: E402
from trainer.models.ple import CGC, PLE  # noqa: E402

pytestmark = pytest.mark.tensorflow

U, INPUT, RANK = 4, 5, 2
GROUPS = [[0, 2], [1]]
HOME = {
    "expert_activation": "swish",
    "expert_norm": "rms",
    "feature_gate_rank": RANK,
    "self_gate": True,
    "task_groups": GROUPS,
}


def softmax(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def activated(layer, level, z, e):
    """swish(γ ⊙ z / rms(z)), or what of it the layer has."""
    if layer.norm == "rms":
        z = z / np.sqrt(np.mean(z**2, axis=1, keepdims=True) + 1e-6)
        z = z * layer.norms[level].gain.numpy()[e]
    return z * sigmoid(z) if layer.activation == "swish" else np.maximum(z, 0)


def experts(layer, x, feature_gate=None):
    """Each expert's layers, one after the other, on x ⊙ 2σ(x B_e A_e) if there is a gate."""
    outputs = []
    for e in range(layer.experts):
        h = x
        if feature_gate is not None:
            down = feature_gate.down.numpy()[:, e * RANK : (e + 1) * RANK]
            h = x * 2 * sigmoid(x @ down @ feature_gate.up.numpy()[e])
        for level, units in enumerate(layer.units):
            kernel, bias = layer.kernels[level].numpy(), layer.biases[level].numpy()[e]
            own = kernel[:, e * units : (e + 1) * units] if level == 0 else kernel[e]
            h = activated(layer, level, h @ own + bias, e)
        outputs.append(h)
    return outputs


def columns(layer, number):
    begin = sum(layer.sizes[:number])
    return layer.kernel.numpy()[:, begin : begin + layer.sizes[number]]


def mixed(weights, outputs):
    return sum(weights[:, [e]] * output for e, output in enumerate(outputs))


def disturbed(model, x):
    """Give every weight a value that it does not start with."""
    model(tf.constant(x))
    rng = np.random.default_rng(5)
    for variable in model.trainable_variables:
        variable.assign_add(rng.normal(scale=0.3, size=variable.shape).astype("f4"))
    return model(tf.constant(x))


@pytest.fixture(scope="module")
def x():
    return np.random.default_rng(0).normal(size=(6, INPUT)).astype("f4")


@pytest.mark.parametrize("activation", ["relu", "swish"])
@pytest.mark.parametrize("norm", ["none", "rms"])
@pytest.mark.parametrize("rank", [0, RANK])
def test_mmoe_with_normed_swish_experts_and_feature_gates_equals_the_equations(
    x, activation, norm, rank
):
    model = MMoE(
        3,
        experts=2,
        expert_units=[3, U],
        expert_activation=activation,
        expert_norm=norm,
        feature_gate_rank=rank,
    )
    outputs = disturbed(model, x)
    own = experts(model.experts, x, model.feature_gates)
    for task, output in enumerate(outputs):
        expected = mixed(softmax(x @ columns(model.gates, task)), own)
        np.testing.assert_allclose(output, expected, atol=1e-4)


def module_by_equation(level, inputs, modules, sees, gated):
    """Mixtures of a later level, whose modules' inputs are given, with their self gates."""
    blocks = [experts(level.experts[m], inputs[m]) for m in range(modules)]
    outputs = []
    for m in range(gated):
        weights = softmax(inputs[m] @ level.gates[m].kernel.numpy())
        outputs.append(mixed(weights, [e for other in sees[m] for e in blocks[other]]))
        if level.self_gate:
            logits = inputs[m] @ level.self_gates[m].kernel.numpy()
            own = softmax(logits) if logits.shape[1] > 1 else sigmoid(logits)
            outputs[-1] = outputs[-1] + mixed(own, blocks[m])
    return outputs


def first_level_by_equation(level, x, counts, sees):
    feature_gate = level.feature_gates[0] if level.feature_gates else None
    every = experts(level.experts[0], x, feature_gate)
    begins = np.cumsum([0, *counts])
    blocks = [every[begin:end] for begin, end in itertools.pairwise(begins)]
    outputs = []
    for m, seen in enumerate(sees):
        weights = softmax(x @ columns(level.gates[0], m))
        output = mixed(weights, [e for other in seen for e in blocks[other]])
        if level.self_gate:
            logits = x @ columns(level.self_gates[0], m)
            own = softmax(logits) if logits.shape[1] > 1 else sigmoid(logits)
            output = output + mixed(own, blocks[m])
        outputs.append(output)
    return outputs


@pytest.mark.parametrize("task_experts", [1, 2])
def test_ple_as_home_equals_the_equations_of_both_levels(x, task_experts):
    model = PLE(3, task_experts=task_experts, shared_experts=2, expert_units=[U], **HOME)
    outputs = disturbed(model, x)
    counts = [task_experts, task_experts, 2]
    # Level 1: modules of two groups and a shared one, whose gate weighs all experts.
    *z, z_shared = first_level_by_equation(model.levels[0], x, counts, [(0, 2), (1, 2), (0, 1, 2)])
    # Level 2: tasks 0 and 2 read group 0, task 1 group 1; each sees its own, its group's (modules
    # 3 and 4) and the shared experts (module 5).
    inputs = [z[0], z[1], z[0], z[0], z[1], z_shared]
    expected = module_by_equation(
        model.levels[1], inputs, 6, [(0, 3, 5), (1, 4, 5), (2, 3, 5)], gated=3
    )
    np.testing.assert_allclose(outputs, expected, atol=1e-4)


def test_cgc_with_groups_has_experts_of_tasks_of_groups_and_shared_ones_on_one_input(x):
    model = CGC(3, task_experts=2, shared_experts=1, expert_units=[U], task_groups=GROUPS)
    outputs = disturbed(model, x)
    expected = first_level_by_equation(
        model.levels[0], x, [2] * 5 + [1], [(0, 3, 5), (1, 4, 5), (2, 3, 5)]
    )
    np.testing.assert_allclose(outputs, expected, atol=1e-4)


def test_ple_with_a_self_gate_adds_the_own_experts_of_every_module(x):
    model = PLE(2, task_experts=2, shared_experts=2, expert_units=[U], self_gate=True)
    outputs = disturbed(model, x)
    lower = first_level_by_equation(model.levels[0], x, [2, 2, 2], [(0, 2), (1, 2), (0, 1, 2)])
    expected = module_by_equation(model.levels[1], lower, 3, [(0, 2), (1, 2)], gated=2)
    np.testing.assert_allclose(outputs, expected, atol=1e-4)


def test_a_self_gate_trains_own_experts_that_the_gate_does_not_choose(x):
    level = CGCLevel(2, 1, 1, [U], self_gate=True)
    level(tf.constant(np.abs(x)))
    # The gate of task 1 has all weight on the shared expert: logits (−1000, 0).
    level.gates[0].kernel.assign(np.tile([-1000.0, 0.0, -1000.0, 0.0], (INPUT, 1)))
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(level(tf.constant(np.abs(x)))[0])
    gradient = tape.gradient(loss, level.experts[0].kernels[0])
    assert np.abs(gradient[:, :U]).max() > 0.0


def test_a_task_does_not_train_experts_of_another_group_on_the_last_level(x):
    model = PLE(3, expert_units=[U], task_groups=GROUPS)
    model(tf.constant(x))
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(model(tf.constant(x))[0])
    last = model.levels[-1].experts
    gradients = tape.gradient(loss, [module.kernels[0] for module in last])
    # Its own, its group's and the shared ones; nothing of tasks 1 and 2 and of group 1.
    assert [gradient is not None for gradient in gradients] == [
        True,
        False,
        False,
        True,
        False,
        True,
    ]


def test_inspection_names_groups_after_their_tasks_and_shows_self_gates(x):
    model = PLE(3, task_experts=1, shared_experts=1, expert_units=[U], **HOME)
    disturbed(model, x)
    gates = gate_weights(model, [tf.constant(x)], ["click", "ratio", "like"])
    assert {name: list(gate.experts) for name, gate in gates.items()} == {
        "level_1/group_click_and_like": ["own 1 of click_and_like", "shared 1"],
        "level_1/group_ratio": ["own 1 of ratio", "shared 1"],
        "level_1/shared": ["own 1 of click_and_like", "own 1 of ratio", "shared 1"],
        "level_1_self/group_click_and_like": ["own 1 of click_and_like"],
        "level_1_self/group_ratio": ["own 1 of ratio"],
        "level_1_self/shared": ["shared 1"],
        **{
            f"level_2/task_{task}": [f"own 1 of {task}", f"shared 1 of {group}", "shared 1"]
            for task, group in [
                ("click", "click_and_like"),
                ("ratio", "ratio"),
                ("like", "click_and_like"),
            ]
        },
        **{
            f"level_2_self/task_{task}": [f"own 1 of {task}"] for task in ("click", "ratio", "like")
        },
    }
    # One expert has a sigmoid: σ(x W).
    own = sigmoid(x @ columns(model.levels[0].self_gates[0], 1))
    np.testing.assert_allclose(gates["level_1_self/group_ratio"].weights, own, atol=1e-5)


def test_experts_of_relu_may_collapse_and_those_of_swish_and_norm_do_not(x):
    zeros = {}
    for form in ({}, {"expert_activation": "swish", "expert_norm": "rms"}):
        model = MMoE(2, experts=2, expert_units=[U], **form)
        model(tf.constant(x))
        # A bias as a rare task's gradient may leave it.
        model.experts.biases[0].assign(np.full((2, U), -50.0))
        outputs = expert_outputs(model, [tf.constant(x)], ["click", "like"])["level_1"]
        zeros[model.experts.activation] = np.mean(outputs.zeros)
    assert zeros == {"relu": 1.0, "swish": 0.0}


def test_the_root_mean_square_by_hand():
    norm = RMSNorm()
    z = tf.constant([[[3.0, 4.0], [0.0, 0.0]]])
    norm(z)
    norm.gain.assign([[2.0, 1.0], [1.0, 1.0]])
    # √((9 + 16)/2) = 3.5355: 2 · 3/3.5355 = 1.697 and 4/3.5355 = 1.131. Zeros stay zeros.
    np.testing.assert_allclose(norm(z), [[[1.697, 1.131], [0.0, 0.0]]], atol=1e-3)


def test_swish_by_hand():
    layer = Experts(1, [2], activation="swish")
    layer(tf.ones([1, 1]))
    layer.kernels[0].assign([[0.0, np.log(3.0)]])
    # 0 · σ(0) = 0 and ln 3 · σ(ln 3) = 1.0986 · 3/4.
    np.testing.assert_allclose(layer(tf.ones([1, 1])), [[[0.0, 1.0986 * 0.75]]], atol=1e-4)


def test_normed_experts_are_alike_in_size_whatever_the_size_of_their_weights(x):
    layer = Experts(2, [U], activation="swish", norm="rms")
    layer(tf.constant(x))
    kernel = layer.kernels[0].numpy()
    # The second expert's weights are a thousand times the first one's.
    layer.kernels[0].assign(np.concatenate([kernel[:, :U], 1000 * kernel[:, :U]], axis=1))
    small, large = tf.unstack(layer(tf.constant(x)), axis=1)
    np.testing.assert_allclose(small, large, atol=1e-4)


def test_feature_gates_of_zero_matrices_leave_the_input_as_it_is(x):
    gate = FeatureGate(3, RANK)
    gate(tf.constant(x))
    gate.up.assign(tf.zeros_like(gate.up))
    np.testing.assert_allclose(gate(tf.constant(x)), np.repeat(x[:, None], 3, axis=1), atol=1e-6)


def test_feature_gates_start_near_one(x):
    gate = FeatureGate(3, RANK)
    gate(tf.constant(x))
    np.testing.assert_allclose(gate.gates(tf.constant(x)), 1.0, atol=0.15)


def test_inspection_shows_the_mean_gate_of_each_field_before_each_expert(x):
    model = PLE(2, task_experts=1, shared_experts=1, expert_units=[U], feature_gate_rank=RANK)
    disturbed(model, x)
    found = feature_gates(model, [tf.constant(x)], ["click", "like"], field_widths=[3, 2])
    assert list(found) == ["own 1 of click", "own 1 of like", "shared 1"]
    layer = model.levels[0].feature_gates[0]
    gates = 2 * sigmoid(x @ layer.down.numpy()[:, RANK : 2 * RANK] @ layer.up.numpy()[1])
    expected = np.stack([gates[:, :3].mean(axis=1), gates[:, 3:].mean(axis=1)], axis=1)
    np.testing.assert_allclose(found["own 1 of like"], expected, atol=1e-5)


def test_the_requests_part_of_feature_gates_is_computed_once(x):
    gate = FeatureGate(3, RANK)
    gate(tf.constant(x))

    @tf.function
    def ranked(request, candidate):
        return gate(FlatInput(request, candidate))

    graph = ranked.get_concrete_function(
        tf.TensorSpec([1, 2]), tf.TensorSpec([None, INPUT - 2])
    ).graph
    rows = [op.inputs[0].shape[0] for op in graph.get_operations() if op.type == "MatMul"]
    assert sorted(rows, key=str) == [1, None]
    candidates = tf.constant(x[:, 2:])
    split = gate(FlatInput(tf.constant(x[:1, :2]), candidates))
    whole = gate(tf.concat([tf.repeat(x[:1, :2], 6, axis=0), candidates], axis=1))
    np.testing.assert_allclose(split, whole, atol=1e-5)


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        ([[0, 1]], r"each of the 3 tasks, counted from 0, in one group. Received: \[\[0, 1\]\]"),
        ([[0, 1], [1, 2]], "in one group"),
        ([[0, 1, 2], []], "in one group"),
    ],
)
def test_groups_have_each_task_once(groups, message):
    with pytest.raises(ValueError, match=message):
        PLE(3, task_groups=groups)


def test_wrong_forms_of_experts_and_levels_are_refused():
    with pytest.raises(ValueError, match="'relu' or 'swish', and `norm` 'none' or 'rms'"):
        Experts(2, [U], activation="gelu")
    with pytest.raises(ValueError, match="only the last level has it. Received: \\[0, 1\\]"):
        CGCLevel(2, 1, 1, [U], last=False, groups=[0, 1])
    with pytest.raises(ValueError, match="`feature_gate_rank` is for the first level"):
        CGCLevel(2, 1, 1, [U], first=False, feature_gate_rank=2)
    with pytest.raises(ValueError, match="`experts` and `rank` must be at least 1. Received: 2, 0"):
        FeatureGate(2, 0)
