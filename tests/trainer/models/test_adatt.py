"""AdaTT against a second implementation, written in NumPy from the equations of its paper."""

from __future__ import annotations

import numpy as np
import pytest

tf = pytest.importorskip("tensorflow")
from trainer.inspect.introspection import gate_weights, mixtures  # noqa: E402
from trainer.layers.adatt import AdaTTLevel  # noqa: E402
from trainer.models.adatt import AdaTT  # noqa: E402

pytestmark = pytest.mark.tensorflow

K, U, INPUT = 3, 4, 5


def softmax(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def relu(z):
    return np.maximum(z, 0)


def adatt(**settings):
    tf.keras.utils.set_random_seed(1)
    model = AdaTT(K, expert_units=[U], **settings)
    x = np.random.default_rng(0).normal(size=(6, INPUT)).astype("f4")
    model(tf.constant(x))
    # Native weights that are not those of the start.
    for number, variable in enumerate(model.coefficients):
        variable.assign(np.linspace(-1, 2, variable.shape[0]) + number)
    return model, x


def level_by_equation(level, inputs):
    """x_k = Σ_e g_ke E_e + Σ_i v_ki E_ki, the first level's matrices cut out of common kernels."""
    counts = [level.task_experts] * K + [level.shared_experts] * (level.shared_experts > 0)
    experts, owner = [], [k for k, count in enumerate(counts) for _ in range(count)]
    for e, k in enumerate(owner):
        layer = level.experts[0] if level.first else level.experts[k]
        begin = (e if level.first else e - owner.index(k)) * U
        kernel, bias = layer.kernels[0].numpy(), layer.biases[0].numpy().ravel()
        experts.append(relu(inputs[k] @ kernel[:, begin : begin + U] + bias[begin : begin + U]))
    outputs = []
    for k in range(K if level.last else len(counts)):
        columns = slice(k * len(owner), (k + 1) * len(owner)) if level.first else slice(None)
        kernel = level.gates[0 if level.first else k].kernel.numpy()[:, columns]
        weights = softmax(inputs[k] @ kernel)
        mixed = sum(weights[:, [e]] * experts[e] for e in range(len(owner)))
        own = [experts[e] for e in range(len(owner)) if owner[e] == k]
        v = level.native[str(k)].numpy() if len(own) > 1 else [1.0]
        outputs.append(mixed + sum(v_i * e_i for v_i, e_i in zip(v, own, strict=True)))
    return outputs


@pytest.mark.parametrize("shared_experts", [0, 1, 2])
@pytest.mark.parametrize("task_experts", [1, 2])
@pytest.mark.parametrize("levels", [1, 3])
def test_levels_equal_the_equations(levels, task_experts, shared_experts):
    model, x = adatt(levels=levels, task_experts=task_experts, shared_experts=shared_experts)
    outputs = [x] * (K + 1)
    for level in model.levels:
        outputs = level_by_equation(level, outputs)
    assert len(outputs) == K
    np.testing.assert_allclose(model(tf.constant(x)), outputs, rtol=1e-4, atol=1e-5)


def test_two_tasks_of_one_expert_by_hand():
    level = AdaTTLevel(2, 1, [1])
    x = tf.constant([[2.0]])
    level(x)
    # Experts 2·1 = 2 and 2·3 = 6. Gate 1: softmax(2·(ln 2, 0)) = (4, 1)/5; gate 2: halves.
    level.experts[0].kernels[0].assign([[1.0, 3.0]])
    level.gates[0].kernel.assign([[np.log(2.0), 0.0, 0.0, 0.0]])
    first, second = level(x)
    # (4·2 + 6)/5 + 2 = 4.8, and (2 + 6)/2 + 6 = 10.
    assert first.numpy().item() == pytest.approx(4.8)
    assert second.numpy().item() == pytest.approx(10.0)


def test_native_weights_start_at_the_mean_and_train_at_the_rate_of_coefficients():
    model = AdaTT(K, task_experts=4, levels=2, expert_units=[U])
    model(tf.ones([2, INPUT]))
    assert len(model.coefficients) == 2 * K
    for v in model.coefficients:
        np.testing.assert_array_equal(v, np.full(4, 0.25))


def test_the_native_weight_of_a_single_expert_is_not_learnt():
    model = AdaTT(K, task_experts=1, expert_units=[U])
    model(tf.ones([2, INPUT]))
    assert model.coefficients == []


@pytest.mark.parametrize("levels", [1, 2, 4])
def test_representations_begin_at_the_scale_of_the_input_however_many_levels(levels):
    tf.keras.utils.set_random_seed(2)
    x = tf.constant(np.random.default_rng(0).normal(size=(256, 64)).astype("f4"))
    for output in AdaTT(K, levels=levels)(x):
        # The input's root mean square is 1.
        assert 0.5 < float(tf.sqrt(tf.reduce_mean(tf.square(output)))) < 2.0


def test_a_task_trains_the_experts_of_other_tasks_on_every_level():
    model, x = adatt(levels=2)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(model(tf.constant(x))[0])
    (gradient,) = tape.gradient(loss, [model.levels[-1].experts[1].kernels[0]])
    assert np.abs(gradient).max() > 0.0


def test_inspection_names_all_experts_in_each_gate_and_shows_the_native_weights():
    model, x = adatt(levels=2, task_experts=2, shared_experts=2)
    tasks = ["click", "like", "ratio"]
    experts = [f"own {i} of {task}" for task in tasks for i in (1, 2)] + ["shared 1", "shared 2"]
    gates = gate_weights(model, [tf.constant(x)], tasks)
    assert list(gates) == [
        *(f"level_1/task_{task}" for task in tasks),
        "level_1/shared",
        *(f"level_2/task_{task}" for task in tasks),
    ]
    assert all(gate.experts == experts for gate in gates.values())
    first, of_shared, second = mixtures(model, tasks)
    assert (first.name, of_shared.name, second.name) == (
        "level_1/v",
        "level_1/v of shared",
        "level_2/v",
    )
    assert (first.sources, first.targets) == (["own 1", "own 2"], tasks)
    # v = (−1, 2) + number, by module, in the order in which they were made.
    np.testing.assert_allclose(first.values, [[-1, 2], [0, 3], [1, 4]])
    np.testing.assert_allclose(of_shared.values, [[2, 5]])


def test_without_own_experts_or_levels_it_is_refused():
    with pytest.raises(ValueError, match="at least 0. Received: 2, 0, 0"):
        AdaTTLevel(2, 0, [3])
    with pytest.raises(ValueError, match="`levels` must be at least 1. Received: 0"):
        AdaTT(2, levels=0)
