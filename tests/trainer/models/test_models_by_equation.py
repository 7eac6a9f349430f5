"""Every other model against a second implementation, written in NumPy from the equations of its paper."""

from __future__ import annotations

import numpy as np
import pytest

tf = pytest.importorskip("tensorflow")
from trainer.models.cross_stitch import CrossStitch  # noqa: E402
from trainer.models.sluice import Sluice  # noqa: E402
from trainer.network.network import build_architecture  # noqa: E402
from trainer.settings.model_config import MODELS  # noqa: E402

pytestmark = pytest.mark.tensorflow

K, U, FIELD_WIDTHS = 3, 4, (2, 2, 3, 1)
INPUT = sum(FIELD_WIDTHS)


def made(name, **settings):
    tf.keras.utils.set_random_seed(1)
    model = build_architecture(MODELS[name](**settings), K, FIELD_WIDTHS)
    x = np.random.default_rng(0).normal(size=(6, INPUT)).astype("f4")
    outputs = [output.numpy() for output in model([tf.constant(x)] * model.embeddings)]
    return model, x, outputs


def relu(z):
    return np.maximum(z, 0)


def softmax(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def experts(layer, x):
    """Each expert's first layer, its matrix cut out of the common kernel."""
    kernel, bias, units = layer.kernels[0].numpy(), layer.biases[0].numpy(), layer.units[0]
    return [
        relu(x @ kernel[:, e * units : (e + 1) * units] + bias[e]) for e in range(layer.experts)
    ]


def gate(layer, x, number):
    begin = sum(layer.sizes[:number])
    return softmax(x @ layer.kernel.numpy()[:, begin : begin + layer.sizes[number]])


def opened(hard_concrete):
    """ẑ = min(1, max(0, σ(log α)(ζ − γ) + γ)) with γ = −0.1 and ζ = 1.1."""
    return np.clip(sigmoid(hard_concrete.log_alpha.numpy()) * 1.2 - 0.1, 0, 1)


def test_single_task_is_one_network_a_task():
    model, x, outputs = made("single_task", bottom_units=[U])
    np.testing.assert_allclose(
        outputs, [experts(bottom, x)[0] for bottom in model.bottoms], atol=1e-5
    )


def test_shared_bottom_gives_all_tasks_one_representation():
    model, x, outputs = made("shared_bottom", bottom_units=[U])
    np.testing.assert_allclose(outputs, [experts(model.bottom, x)[0]] * K, atol=1e-5)


@pytest.mark.parametrize("combine", ["concat", "sum", "average"])
def test_asymmetric_shows_a_task_the_bottoms_before_it(combine):
    model, x, outputs = made("asymmetric", bottom_units=[U], combine=combine)
    bottoms = experts(model.bottoms, x)
    join = {
        "concat": lambda seen: np.concatenate(seen, axis=1),
        "sum": sum,
        "average": lambda seen: sum(seen) / len(seen),
    }
    for task, output in enumerate(outputs):
        np.testing.assert_allclose(output, join[combine](bottoms[: task + 1]), atol=1e-5)


def test_customized_joins_the_shared_and_the_own_bottom():
    model, x, outputs = made("customized", bottom_units=[U])
    bottoms = experts(model.bottoms, x)
    for task, output in enumerate(outputs):
        np.testing.assert_allclose(
            output, np.concatenate([bottoms[K], bottoms[task]], axis=1), atol=1e-5
        )


def test_mmoe_mixes_shared_experts_by_a_gate_a_task():
    model, x, outputs = made("mmoe", experts=5, expert_units=[U])
    for task, output in enumerate(outputs):
        weights = gate(model.gates, x, task)
        expected = sum(
            weights[:, [e]] * expert for e, expert in enumerate(experts(model.experts, x))
        )
        np.testing.assert_allclose(output, expected, atol=1e-5)


def test_ml_mmoe_feeds_each_upper_expert_its_own_mixture_with_gates_on_the_raw_input():
    model, x, outputs = made("ml_mmoe", levels=2, experts=2, expert_units=[U])
    lower = experts(model.first, x)
    layer = model.rest[0][0]
    upper = []
    for number in range(2):
        weights = gate(model.gates, x, number)
        mixed = sum(weights[:, [e]] * expert for e, expert in enumerate(lower))
        upper.append(relu(mixed @ layer.kernel.numpy()[number] + layer.bias.numpy()[number]))
    for task, output in enumerate(outputs):
        weights = gate(model.gates, x, 2 + task)
        np.testing.assert_allclose(
            output, sum(weights[:, [e]] * expert for e, expert in enumerate(upper)), atol=1e-5
        )


@pytest.mark.parametrize("per_channel", [False, True])
def test_cross_stitch_mixes_the_tasks_after_each_layer(per_channel):
    model, x, outputs = made("cross_stitch", units=[U, 2], per_channel=per_channel)
    layers = experts(model.first, x)
    for level, unit in enumerate(model.units):
        if level:
            dense = model.rest[level - 1]
            layers = [
                relu(layers[k] @ dense.kernel.numpy()[k] + dense.bias.numpy()[k]) for k in range(K)
            ]
        alpha = unit.alpha.numpy()
        layers = [sum(alpha[i, j] * layers[j] for j in range(K)) for i in range(K)]
    np.testing.assert_allclose(outputs, layers, atol=1e-5)


def test_a_cross_stitch_unit_starts_near_the_identity():
    model, _, _ = made("cross_stitch", units=[U])
    # .9 on the diagonal, .1 spread over the two others.
    np.testing.assert_allclose(
        model.units[0].alpha, np.full((K, K), 0.05) + 0.85 * np.eye(K), rtol=1e-6
    )


def sluice_subspaces(model, x):
    layers, kept = experts(model.first, x), []
    for level, unit in enumerate(model.units):
        if level:
            dense = model.rest[level - 1]
            layers = [
                relu(layers[k] @ dense.kernel.numpy()[k] + dense.bias.numpy()[k]) for k in range(K)
            ]
        halves = [half for layer in layers for half in np.split(layer, 2, axis=1)]
        alpha = unit.alpha.numpy()
        mixed = [sum(alpha[i, j] * halves[j] for j in range(2 * K)) for i in range(2 * K)]
        layers = [np.concatenate(mixed[2 * k : 2 * k + 2], axis=1) for k in range(K)]
        kept.append(layers)
    return kept


def test_sluice_mixes_subspaces_between_tasks_and_layers_within_a_task():
    model, x, _ = made("sluice", layers=2, units=U)
    model.beta.assign(np.array([[0.9, 0.1], [0.3, 0.7], [0.0, 1.0]]))
    outputs = model([tf.constant(x)])
    kept, beta = sluice_subspaces(model, x), model.beta.numpy()
    for task in range(K):
        expected = sum(beta[task, level] * kept[level][task] for level in range(2))
        np.testing.assert_allclose(outputs[task], expected, atol=1e-5)


def test_sluice_penalises_the_overlap_of_a_layers_subspaces():
    model, _, _ = made("sluice", layers=2, units=U, orthogonality=0.5)
    kernels = [model.first.kernels[0].numpy()[:, k * U : (k + 1) * U] for k in range(K)] + list(
        model.rest[0].kernel.numpy()
    )
    expected = 0.5 * sum(np.sum((kernel[:, :2].T @ kernel[:, 2:]) ** 2) for kernel in kernels)
    assert float(model.penalties()["orthogonality"]) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(("kind", "own"), [("balanced", 1 / 6), ("imbalanced", 0.95)])
def test_a_sluice_unit_starts_balanced_or_near_the_identity(kind, own):
    alpha = made("sluice", units=U, initial_mixture=kind)[0].units[0].alpha.numpy()
    assert np.diag(alpha) == pytest.approx([own] * 6)
    assert alpha.sum(axis=1) == pytest.approx(np.ones(6))


def test_dselect_k_mixes_the_experts_that_static_gates_spell_in_bits():
    model, x, _ = made("dselect_k", experts=5, units=U, selected=3, smoothness=2.0)
    random = np.random.default_rng(2)
    codes, logits = random.normal(size=(K, 3, 3)), random.normal(size=(K, 3))
    model.gate.codes.assign(codes)
    model.gate.logits.assign(logits)
    t = np.clip(codes, -1.0, 1.0)
    ones = -2 * t**3 / 2.0**3 + 3 * t / (2 * 2.0) + 0.5
    outputs, entropy, unused = model([tf.constant(x)]), 0.0, 0.0
    for task, output in enumerate(outputs):
        q = np.zeros(5)
        for j in range(3):
            r = np.array(
                [
                    np.prod(
                        [
                            ones[task, j, b] if digit == "1" else 1 - ones[task, j, b]
                            for b, digit in enumerate(f"{expert:03b}")
                        ]
                    )
                    for expert in range(5)
                ]
            )
            q += softmax(logits[[task]])[0, j] * r
            entropy -= sum(value * np.log(value) for value in r if value > 0)
            unused += 1 / r.sum() - 1
        expected = sum(q[e] * expert for e, expert in enumerate(experts(model.experts, x)))
        np.testing.assert_allclose(output, expected, atol=1e-5)
    penalties = model.penalties()
    assert float(penalties["entropy"]) == pytest.approx(0.05 * entropy, rel=1e-3)
    assert float(penalties["unused_codes"]) == pytest.approx(unused, rel=1e-3)


def test_the_entropy_of_dselect_k_counts_more_from_step_to_step():
    model, _, _ = made("dselect_k", entropy=0.5, entropy_steps=200)
    assert list(model.penalties()) == ["entropy"]
    whole = float(model.penalties()["entropy"])
    # 8 experts, all codes near ½: log 8 for each of 2 selectors of K tasks.
    assert whole == pytest.approx(0.5 * K * 2 * np.log(8), rel=1e-3)
    at = [float(model.penalties_at(tf.constant(step))["entropy"]) for step in (0, 50, 200, 9999)]
    assert at == pytest.approx([0.0, whole / 4, whole, whole])


@pytest.mark.parametrize("name", ["snr_trans", "snr_aver"])
def test_snr_routes_sub_networks_through_gates(name):
    model, x, _ = made(name, levels=2, subnetworks=2, units=U)
    connection, to_tasks = model.connections[0], model.to_tasks
    # A closed gate, an open one and some between.
    connection.gate.log_alpha.assign([[-9.0, 9.0], [0.5, -0.5]])
    to_tasks.gate.log_alpha.assign([[0.1, 9.0], [-9.0, 0.3], [1.0, -1.0]])

    def connected(layer, u):
        z = opened(layer.gate)
        turned = [
            [s @ layer.kernel.numpy()[i, j] if name == "snr_trans" else s for j, s in enumerate(u)]
            for i in range(len(z))
        ]
        return [sum(z[i, j] * turned[i][j] for j in range(len(u))) for i in range(len(z))]

    u = connected(connection, experts(model.first, x))
    dense = model.rest[0]
    u = [relu(v @ dense.kernel.numpy()[j] + dense.bias.numpy()[j]) for j, v in enumerate(u)]
    np.testing.assert_allclose(model([tf.constant(x)]), connected(to_tasks, u), atol=1e-5)


def test_snr_trans_with_all_gates_open_is_a_dense_layer():
    model, x, _ = made("snr_trans", subnetworks=2, units=U)
    model.to_tasks.gate.log_alpha.assign(np.full((K, 2), 99.0))
    joined = np.concatenate(experts(model.first, x), axis=1)
    kernel = model.to_tasks.kernel.numpy()
    for task, output in enumerate(model([tf.constant(x)])):
        np.testing.assert_allclose(output, joined @ np.concatenate(list(kernel[task])), atol=1e-5)


def fields_of(x):
    return np.split(x, np.cumsum(FIELD_WIDTHS)[:-1], axis=1)


def scores(layer, x):
    """g_ij · e_i + a_ij, (B, J, F). With the paper's masks only plain numbers, of width 1, have an a."""
    result = []
    for j in range(K + 1):
        queries = fields_of(layer.query.numpy()[[j]])
        biases = iter(layer.mask_bias.numpy()[j])
        has_bias = [layer.masks_are == "biased" or len(g[0]) == 1 for g in queries]
        result.append(
            [
                e @ g[0] + (next(biases) if biased else 0.0)
                for e, g, biased in zip(fields_of(x), queries, has_bias, strict=True)
            ]
        )
    return np.array(result).transpose(2, 0, 1)


def masked(masks, x):
    """E_j = concat_i(w_ij e_i), (B, J, I)."""
    return np.repeat(masks, FIELD_WIDTHS, axis=2) * x[:, None]


def fscm(layer, x):
    """w_ij = relu(tanh(g_ij · e_i + a_ij)); u_j = relu(W_j concat_i(w_ij e_i) + b_j); and the masks."""
    masks = relu(np.tanh(scores(layer, x)))
    product = np.einsum("bji,jiu->bju", masked(masks, x), layer.kernel.numpy())
    return relu(product + layer.bias.numpy()).swapaxes(0, 1), masks


@pytest.mark.parametrize("masks", ["biased", "paper"])
def test_mssm_masks_fields_and_gates_cells(masks):
    model, x, _ = made("mssm", units=U, masks=masks)
    layer = model.subnetworks
    assert layer.mask_bias.shape == (K + 1, {"biased": 4, "paper": 1}[masks])
    layer.mask_bias.assign(np.random.default_rng(3).normal(size=layer.mask_bias.shape))
    gates = np.random.default_rng(2).normal(size=(K, 2, U)) * 3
    model.connection.task_gate.log_alpha.assign(gates)
    u, w = fscm(layer, x)
    np.testing.assert_allclose(layer.masks(tf.constant(x)), w, atol=1e-5)
    assert (w == 0).any()
    assert (w > 0).any()
    m, kernel = opened(model.connection.task_gate), model.connection.task_kernel.numpy()
    for task, output in enumerate(model([tf.constant(x)])):
        expected = u[task] @ (kernel[task, 0] * m[task, 0]) + u[K] @ (kernel[task, 1] * m[task, 1])
        np.testing.assert_allclose(output, expected, atol=1e-5)


@pytest.mark.parametrize("masks", ["biased", "paper"])
def test_a_value_that_all_sub_networks_mask_learns_in_training_unless_masks_are_the_papers(masks):
    model, _, _ = made("mssm", units=U, masks=masks)
    layer = model.subnetworks
    random = np.random.default_rng(4)
    x = random.normal(size=(9, INPUT)).astype("f4")
    layer.mask_bias.assign(random.normal(size=layer.mask_bias.shape))
    # Whatever the others do, all sub-networks mask values below 0 of the third field.
    query = random.normal(size=layer.query.shape)
    query[:, 4:7] = np.arange(1, K + 2)[:, None]
    layer.query.assign(query)
    if masks == "biased":
        layer.mask_bias.assign(np.where(np.arange(4) == 2, -0.5, layer.mask_bias.numpy()))
    upstream = random.normal(size=(9, K + 1, U)).astype("f4")
    with tf.GradientTape() as tape:
        u = layer(tf.constant(x), training=True)
        loss = tf.reduce_sum(u * upstream)
    found_query, found_bias = tape.gradient(loss, [layer.query, layer.mask_bias])

    # The forward pass is that of serving, bit by bit.
    np.testing.assert_array_equal(u, layer(tf.constant(x)))
    s = scores(layer, x)
    closed = np.all(s <= 0, axis=1, keepdims=True)
    assert closed.any()
    assert not closed.all()
    # dL/dE = W (dL/du ⊙ 1[u > 0]); dL/dw = dL/dE · e. The slope of relu(tanh(s)) is 1 − tanh² s
    # where it is open, and a tenth where no sub-network is.
    d_masked = np.einsum("bju,jiu->bji", upstream * (u.numpy() > 0), layer.kernel.numpy())
    starts = np.cumsum([0, *FIELD_WIDTHS[:-1]])
    d_mask = np.add.reduceat(d_masked * x[:, None], starts, axis=2)
    slope = np.where(s > 0, 1 - np.tanh(s) ** 2, 0.1 * closed if masks == "biased" else 0.0)
    d_scores = d_mask * slope
    biased = d_scores if masks == "biased" else d_scores[:, :, 3:]  # field 3 is a number
    np.testing.assert_allclose(found_bias, biased.sum(axis=0), atol=1e-4)
    np.testing.assert_allclose(found_query, masked(d_scores, x).sum(axis=0), atol=1e-4)


def test_masks_begin_open_with_queries_of_their_own():
    model, _, _ = made("mssm", units=U)
    layer = model.subnetworks
    # tanh(1) where the embeddings are 0, their mean.
    np.testing.assert_allclose(layer.masks(tf.zeros([1, INPUT])), np.tanh(1.0), rtol=1e-6)
    queries = layer.query.numpy()
    assert abs(np.corrcoef(queries[:, :-1])[np.triu_indices(K + 1, 1)]).max() < 0.95
    # A number of any size begins open.
    assert not queries[:, -1].any()
    assert model.initial_embedding == 0.0


def test_the_masks_learn_at_the_rate_of_coefficients_unless_they_are_the_papers():
    names = {
        masks: {variable.name for variable in made("mssm", units=U, masks=masks)[0].coefficients}
        for masks in ("biased", "paper")
    }
    short = {
        masks: sorted(name.split("/")[-1].split(":")[0] for name in of)
        for masks, of in names.items()
    }
    assert short == {"biased": ["log_alpha", "mask_bias", "mask_query"], "paper": ["log_alpha"]}


def test_a_shared_row_of_the_cell_level_reads_all_sub_networks():
    from trainer.layers.gated_connections import CSSM

    tf.keras.utils.set_random_seed(3)
    layer = CSSM(K, U, shared_row=True)
    u = np.random.default_rng(0).normal(size=(5, K + 1, 2)).astype("f4")
    v = layer(tf.constant(u)).numpy()
    m, kernel = opened(layer.shared_gate), layer.shared_kernel.numpy()
    assert v.shape == (5, K + 1, U)
    # The kernels are drawn apart.
    assert not np.isin(layer.shared_kernel.numpy(), layer.task_kernel.numpy()).any()
    np.testing.assert_allclose(
        v[:, K], sum(u[:, j] @ (kernel[j] * m[j]) for j in range(K + 1)), atol=1e-5
    )


def test_mssm_basic_is_snr_trans():
    basic, x, _ = made("mssm", units=U, field_sparsity=False, cell_sparsity=False)
    snr, _, _ = made("snr_trans", subnetworks=K + 1, units=U)
    snr.set_weights(basic.get_weights())
    np.testing.assert_array_equal(basic([tf.constant(x)]), snr([tf.constant(x)]))


def test_without_field_sparsity_and_with_one_gate_a_block_mssm_is_snr_trans_without_the_blocks_between_tasks():
    from trainer.layers.gated_connections import CSSM, SNRConnection

    tf.keras.utils.set_random_seed(4)
    cssm, snr = CSSM(K, U, cell_gates=False), SNRConnection(K, U)
    u = np.random.default_rng(0).normal(size=(5, K + 1, 2)).astype("f4")
    cssm(tf.constant(u)), snr(tf.constant(u))
    kernel, gates = np.zeros((K, K + 1, 2, U), "f4"), np.zeros((K, K + 1), "f4")
    for task in range(K):
        kernel[task, task], kernel[task, K] = cssm.task_kernel.numpy()[task]
        gates[task, task], gates[task, K] = cssm.task_gate.log_alpha.numpy()[task, :, 0]
    snr.kernel.assign(kernel)
    snr.gate.log_alpha.assign(gates)
    np.testing.assert_allclose(cssm(tf.constant(u)), snr(tf.constant(u)), atol=1e-5)


def test_mssm_penalises_squared_weights_and_open_gates():
    model, _, _ = made("mssm", units=U, l2=0.5, l0=0.25)
    squares = sum(
        np.sum(np.square(kernel))
        for kernel in (model.subnetworks.kernel, model.connection.task_kernel)
    )
    likely_open = sigmoid(
        model.connection.task_gate.log_alpha.numpy() - 2 / 3 * np.log(0.1 / 1.1)
    ).sum()
    penalties = model.penalties()
    assert float(penalties["l2"]) == pytest.approx(0.5 * squares, rel=1e-5)
    assert float(penalties["l0"]) == pytest.approx(0.25 * likely_open, rel=1e-5)


def stem_by_equation(model, shared, own, read, summed):
    """h_k = Σ softmax(W₂ relu(W₁ (x_k + x_s)))_e E_e(x_k or x_s): the outputs, and all weights."""
    outputs = [expert for e, x in zip(model.own, read, strict=True) for expert in experts(e, x)]
    outputs += experts(model.shared, shared)
    result = []
    for (hidden, head), x in zip(model.gates, summed, strict=True):
        kernel, bias = head.get_weights()
        weights = softmax(experts(hidden, x)[0] @ kernel + bias)
        result.append(sum(weights[:, [e]] * expert for e, expert in enumerate(outputs)))
    return result


def test_stem_mixes_experts_on_embeddings_of_all_tasks_and_on_shared_ones():
    model, shared, _ = made("stem", expert_units=[U], gate_units=[3], task_experts=2)
    random = np.random.default_rng(4)
    own = [random.normal(size=shared.shape).astype("f4") for _ in range(K)]
    expected = stem_by_equation(model, shared, own, own, [shared + x for x in own])
    outputs = model([tf.constant(x) for x in (shared, *own)])
    np.testing.assert_allclose(outputs, expected, atol=1e-5)


def test_stem_with_narrow_embeddings_of_tasks_reads_the_rest_from_the_shared_ones():
    from trainer.models.stem import STEM

    tf.keras.utils.set_random_seed(1)
    # Of widths 2, 2, 3 and 1 tasks have one column for the second field and two for the third.
    model = STEM(K, field_widths=FIELD_WIDTHS, task_widths=(0, 1, 2, 0), expert_units=[U])
    random = np.random.default_rng(5)
    shared = random.normal(size=(6, INPUT)).astype("f4")
    own = [random.normal(size=(6, 3)).astype("f4") for _ in range(K)]
    outputs = model([tf.constant(x) for x in (shared, *own)])
    read = [np.concatenate([shared[:, :2], x, shared[:, 7:]], axis=1) for x in own]
    nothing = np.zeros((6, 1), "f4")
    filled = [
        np.concatenate([nothing, nothing, x[:, :1], nothing, x[:, 1:], nothing, nothing], axis=1)
        for x in own
    ]
    expected = stem_by_equation(model, shared, own, read, [shared + x for x in filled])
    np.testing.assert_allclose(outputs, expected, atol=1e-5)


def test_stem_learns_from_other_tasks_experts_and_leaves_them_as_they_are():
    model, shared, _ = made("stem", expert_units=[U])
    own = [tf.constant(shared + task) for task in range(K)]
    with tf.GradientTape() as tape:
        tape.watch(own)
        loss = tf.reduce_sum(model([tf.constant(shared), *own])[1] ** 2)
    kernels = [layer.kernels[0] for layer in (*model.own, model.shared)]
    *of_own, of_shared, others, task, rest = tape.gradient(loss, [*kernels, *own])
    assert [gradient is not None and bool(np.any(gradient)) for gradient in of_own] == [
        False,
        True,
        False,
    ]
    assert np.any(of_shared)
    assert (others, rest) == (None, None)
    assert np.any(task)
    # Its gate weighs their experts nonetheless.
    assert (model.gate_weights([tf.constant(shared), *own])[1].numpy() > 0.0).all()


def test_stem_refuses_inputs_and_widths_that_do_not_fit():
    from trainer.models.stem import STEM

    with pytest.raises(ValueError, match=r"x_s and an input for each of the 2 tasks. Received: 2"):
        STEM(2)([tf.ones([1, 4]), tf.ones([1, 4])])
    with pytest.raises(
        ValueError, match=r"a width from 0 to that in `field_widths`.*\[3\] for \[2\]"
    ):
        STEM(2, field_widths=[2], task_widths=[3])
    with pytest.raises(ValueError, match="an input for each task is needed where `task_widths`"):
        STEM(2, field_widths=[2], task_widths=[1])(tf.ones([1, 2]))


def test_networks_need_a_layer():
    with pytest.raises(ValueError, match=r"`units` must hold at least one layer. Received: \[\]"):
        CrossStitch(2, units=[])
    with pytest.raises(ValueError, match="`layers` must be at least 1. Received: 0"):
        Sluice(2, layers=0)
