"""CGC and PLE against a second implementation, written in NumPy from the equations of the paper."""

from __future__ import annotations

import numpy as np
import pytest

tf = pytest.importorskip("tensorflow")
from trainer.layers.cgc import CGCLevel  # noqa: E402
from trainer.models.ple import PLE  # noqa: E402

pytestmark = pytest.mark.tensorflow

K, M_K, M_S, U, INPUT = 3, 2, 1, 4, 5


def softmax(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def relu(z):
    return np.maximum(z, 0)


def first_level(level, x, *, shared_gate):
    """Eq 2–5, with the experts' matrices cut out of the common kernel one by one."""
    kernel, bias = level.experts[0].kernels[0].numpy(), level.experts[0].biases[0].numpy()
    experts = [relu(x @ kernel[:, e * U : (e + 1) * U] + bias[e]) for e in range(K * M_K + M_S)]
    gates = level.gates[0].kernel.numpy()
    own = M_K + M_S
    outputs = []
    for k in range(K):
        w = softmax(x @ gates[:, k * own : (k + 1) * own])
        chosen = [*experts[k * M_K : (k + 1) * M_K], *experts[K * M_K :]]
        outputs.append(sum(w[:, [i]] * s for i, s in enumerate(chosen)))
    if shared_gate:
        w = softmax(x @ gates[:, K * own :])
        outputs.append(sum(w[:, [i]] * s for i, s in enumerate(experts)))
    return outputs


def later_level(level, inputs, *, shared_gate):
    """Eq 6–7: each module's experts and gate read that module's own input."""
    experts = []
    for module, x in zip(level.experts, inputs, strict=True):
        kernel, bias = module.kernels[0].numpy(), module.biases[0].numpy()
        experts.append(
            [relu(x @ kernel[:, e * U : (e + 1) * U] + bias[e]) for e in range(len(bias))]
        )
    outputs = []
    for k in range(K):
        w = softmax(inputs[k] @ level.gates[k].kernel.numpy())
        outputs.append(sum(w[:, [i]] * s for i, s in enumerate([*experts[k], *experts[K]])))
    if shared_gate:
        w = softmax(inputs[K] @ level.gates[K].kernel.numpy())
        outputs.append(
            sum(w[:, [i]] * s for i, s in enumerate([s for module in experts for s in module]))
        )
    return outputs


def ple(levels):
    tf.keras.utils.set_random_seed(1)
    model = PLE(K, levels=levels, task_experts=M_K, shared_experts=M_S, expert_units=[U])
    x = np.random.default_rng(0).normal(size=(6, INPUT)).astype("f4")
    return model, x, [output.numpy() for output in model([tf.constant(x)])]


def test_one_level_equals_the_equations_of_cgc():
    model, x, outputs = ple(levels=1)
    np.testing.assert_allclose(
        outputs, first_level(model.levels[0], x, shared_gate=False), atol=1e-5
    )


def test_three_levels_equal_the_equations_of_ple():
    model, x, outputs = ple(levels=3)
    expected = first_level(model.levels[0], x, shared_gate=True)
    expected = later_level(model.levels[1], expected, shared_gate=True)
    expected = later_level(model.levels[2], expected, shared_gate=False)
    np.testing.assert_allclose(outputs, expected, atol=1e-5)


def gates_and_experts(model):
    gates = [size for level in model.levels for gate in level.gates for size in gate.sizes]
    experts = sum(module.experts for level in model.levels for module in level.experts)
    return gates, experts


@pytest.mark.parametrize("levels", [1, 2, 3])
def test_counts_are_those_of_the_paper(levels):
    model, _, _ = ple(levels)
    gates, experts = gates_and_experts(model)
    # L·K task gates of m_k + m_s, L − 1 shared gates of Σ m_k + m_s; L · (Σ m_k + m_s) experts.
    assert sorted(gates) == sorted([M_K + M_S] * (levels * K) + [K * M_K + M_S] * (levels - 1))
    assert experts == levels * (K * M_K + M_S)


def last_level_gradient(levels, task, of_task):
    """∂L_task / ∂(experts of `of_task`) at the first and at the last level, as the largest absolute entry."""
    model, x, _ = ple(levels)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(model([tf.constant(x)])[task])
    first, last = (
        model.levels[0].experts[0].kernels[0],
        model.levels[-1].experts[of_task].kernels[0],
    )
    first_gradient, last_gradient = tape.gradient(loss, [first, last])
    own = slice(of_task * M_K * U, (of_task + 1) * M_K * U)
    return (
        np.abs(first_gradient.numpy()[:, own]).max(),
        0.0 if last_gradient is None else np.abs(last_gradient.numpy()).max(),
    )


def test_a_task_reaches_other_tasks_experts_through_the_shared_gate_only():
    lower, last = last_level_gradient(levels=2, task=0, of_task=1)
    assert last == 0.0
    assert lower > 0.0
    assert last_level_gradient(levels=2, task=1, of_task=1)[1] > 0.0


def test_a_gate_reads_the_level_below_and_not_the_raw_input():
    # With x fixed, another g^{1,1} changes the weights of task 1's gate on level 2.
    level = CGCLevel(2, 1, 1, [3], first=False, last=True)
    inputs = [tf.ones([1, 3]), tf.ones([1, 3]), tf.ones([1, 3])]
    level(inputs)
    before = level.gates[0](inputs[0])[0].numpy()
    assert not np.allclose(before, level.gates[0](inputs[0] + tf.constant([[0.0, 1.0, 2.0]]))[0])


def test_a_level_without_experts_is_refused():
    with pytest.raises(ValueError, match="must be at least 1. Received: 2, 0, 1"):
        CGCLevel(2, 0, 1, [3], first=True, last=True)
