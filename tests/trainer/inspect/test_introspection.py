"""What models show of their inside, against numbers worked by hand."""

from __future__ import annotations

import numpy as np
import pytest

tf = pytest.importorskip("tensorflow")
from trainer.inspect.introspection import (  # noqa: E402
    closed_shares,
    field_masks,
    gate_weights,
    gated_blocks,
    mixtures,
)
from trainer.models.cross_stitch import CrossStitch  # noqa: E402
from trainer.models.dselect_k import DSelectK  # noqa: E402
from trainer.models.mmoe import MLMMoE, MMoE  # noqa: E402
from trainer.models.mssm import MSSM  # noqa: E402
from trainer.models.ple import PLE  # noqa: E402
from trainer.models.sluice import Sluice  # noqa: E402
from trainer.models.snr import SNRAver  # noqa: E402

pytestmark = pytest.mark.tensorflow

TASKS = ["click", "ratio"]
LN = np.log


def test_gates_of_mmoe_in_order_of_tasks_and_experts():
    model = MMoE(2, experts=3, expert_units=[2])
    x = tf.constant([[1.0], [2.0]])
    model([x])
    # Click's logits are x · (ln 2, 0, 0), ratio's x · (0, 0, ln 3).
    model.gates.kernel.assign([[LN(2.0), 0.0, 0.0, 0.0, 0.0, LN(3.0)]])
    found = gate_weights(model, [x], TASKS)
    assert list(found) == ["level_1/task_click", "level_1/task_ratio"]
    assert found["level_1/task_click"].experts == ["shared 1", "shared 2", "shared 3"]
    # x = 1: (2, 1, 1)/4 and (1, 1, 3)/5; x = 2: (4, 1, 1)/6 and (1, 1, 9)/11.
    np.testing.assert_allclose(
        found["level_1/task_click"].weights,
        [[1 / 2, 1 / 4, 1 / 4], [2 / 3, 1 / 6, 1 / 6]],
        atol=1e-6,
    )
    np.testing.assert_allclose(
        found["level_1/task_ratio"].weights,
        [[1 / 5, 1 / 5, 3 / 5], [1 / 11, 1 / 11, 9 / 11]],
        atol=1e-6,
    )


def test_gates_of_ple_by_level_task_and_expert():
    model = PLE(2, levels=2, task_experts=2, shared_experts=1, expert_units=[1])
    x = tf.constant([[1.0]])
    model([x])
    first, second = model.levels
    # Experts of level 1: click's give 1 and 2, ratio's 3 and 4, the shared one 5. Its gates:
    # click's (3, 1, 1)/5, ratio's thirds, the shared one's fifths.
    first.experts[0].kernels[0].assign([[1.0, 2.0, 3.0, 4.0, 5.0]])
    first.gates[0].kernel.assign([[LN(3.0), *[0.0] * 10]])
    # Level 2's gate of click reads g^{click,1} = (3·1 + 2 + 5)/5 = 2: logits 2 · (ln 2, 0, 0), so
    # weights (4, 1, 1)/6. Ratio's reads (3 + 4 + 5)/3 = 4: logits 4 · (0, 0, ln 2), so weights (1,
    # 1, 16)/18.
    second.gates[0].kernel.assign([[LN(2.0), 0.0, 0.0]])
    second.gates[1].kernel.assign([[0.0, 0.0, LN(2.0)]])
    found = gate_weights(model, [x], TASKS)
    assert {name: gate.experts for name, gate in found.items()} == {
        "level_1/task_click": ["own 1 of click", "own 2 of click", "shared 1"],
        "level_1/task_ratio": ["own 1 of ratio", "own 2 of ratio", "shared 1"],
        "level_1/shared": [
            "own 1 of click",
            "own 2 of click",
            "own 1 of ratio",
            "own 2 of ratio",
            "shared 1",
        ],
        "level_2/task_click": ["own 1 of click", "own 2 of click", "shared 1"],
        "level_2/task_ratio": ["own 1 of ratio", "own 2 of ratio", "shared 1"],
    }
    np.testing.assert_allclose(found["level_1/task_click"].weights, [[0.6, 0.2, 0.2]], atol=1e-6)
    np.testing.assert_allclose(found["level_1/shared"].weights, [[0.2] * 5], atol=1e-6)
    np.testing.assert_allclose(
        found["level_2/task_click"].weights, [[4 / 6, 1 / 6, 1 / 6]], atol=1e-6
    )
    np.testing.assert_allclose(
        found["level_2/task_ratio"].weights, [[1 / 18, 1 / 18, 16 / 18]], atol=1e-6
    )


def test_gates_between_levels_of_ml_mmoe_are_told_from_those_of_tasks():
    model = MLMMoE(2, levels=2, experts=2, expert_units=[1])
    x = tf.constant([[1.0]])
    model([x])
    # Four gates of two experts: into experts 1 and 2 of level 2, then click's and ratio's.
    model.gates.kernel.assign([[LN(3.0), 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, LN(3.0)]])
    found = {
        name: np.round(gate.weights, 6).tolist()
        for name, gate in gate_weights(model, [x], TASKS).items()
    }
    assert found == {
        "level_1/expert_1_of_level_2": [[0.75, 0.25]],
        "level_1/expert_2_of_level_2": [[0.5, 0.5]],
        "level_2/task_click": [[0.5, 0.5]],
        "level_2/task_ratio": [[0.25, 0.75]],
    }


def test_connections_of_snr_from_sub_networks_to_sub_networks_and_tasks():
    model = SNRAver(2, levels=2, subnetworks=2, units=3)
    model([tf.ones([1, 4])])
    # ẑ = min(1, max(0, 1.2·σ(log α) − .1)): 0 at −20, .5 at 0, 1 at 20.
    model.connections[0].gate.log_alpha.assign([[20.0, -20.0], [0.0, 20.0]])
    model.to_tasks.gate.log_alpha.assign([[-20.0, 20.0], [-20.0, -20.0]])
    found = {
        (block.connection, block.source, block.target): np.asarray(block.gates).tolist()
        for block in gated_blocks(model, TASKS)
    }
    assert found == {
        ("connection_1", "sub-network 1", "sub-network 1"): [1.0],
        ("connection_1", "sub-network 2", "sub-network 1"): [0.0],
        ("connection_1", "sub-network 1", "sub-network 2"): [0.5],
        ("connection_1", "sub-network 2", "sub-network 2"): [1.0],
        ("to_tasks", "sub-network 1", "click"): [0.0],
        ("to_tasks", "sub-network 2", "click"): [1.0],
        ("to_tasks", "sub-network 1", "ratio"): [0.0],
        ("to_tasks", "sub-network 2", "ratio"): [0.0],
    }
    assert closed_shares(model) == {"connection_1": 0.25, "to_tasks": 0.75}


def test_the_experts_that_each_task_selects():
    model = DSelectK(2, experts=3, units=3, selected=1)
    model([tf.ones([1, 4])])
    model.gate.codes.assign([[[-1.0, 1.0]], [[1.0, 0.0]]])
    found = {
        (block.source, block.target): np.asarray(block.gates).tolist()
        for block in gated_blocks(model, TASKS)
    }
    # Code 01 is expert 2; half of 10 is expert 3 and half of 11 is none.
    assert found == {
        ("expert 1", "click"): [0.0],
        ("expert 2", "click"): [1.0],
        ("expert 3", "click"): [0.0],
        ("expert 1", "ratio"): [0.0],
        ("expert 2", "ratio"): [0.0],
        ("expert 3", "ratio"): [0.5],
    }
    assert closed_shares(model) == {"selection": pytest.approx(4 / 6)}


def test_mssm_without_cell_sparsity_has_a_gate_a_connection():
    model = MSSM(2, units=3, cell_sparsity=False, field_widths=(2, 1))
    model([tf.ones([1, 3])])
    model.connection.gate.log_alpha.assign([[20.0, -20.0, 0.0], [-20.0, 20.0, 20.0]])
    found = {
        (block.source, block.target): np.asarray(block.gates).tolist()
        for block in gated_blocks(model, TASKS)
    }
    assert found == {
        ("own of click", "click"): [1.0],
        ("own of ratio", "click"): [0.0],
        ("shared", "click"): [0.5],
        ("own of click", "ratio"): [0.0],
        ("own of ratio", "ratio"): [1.0],
        ("shared", "ratio"): [1.0],
    }


def test_mssm_without_field_sparsity_has_no_masks():
    model = MSSM(2, field_sparsity=False, field_widths=(2, 1))
    model([tf.ones([1, 3])])
    assert field_masks(model, [tf.ones([1, 3])], TASKS) == {}


def test_alpha_of_a_cross_stitch_network_may_differ_between_units():
    model = CrossStitch(2, units=[4, 2], per_channel=True)
    model([tf.ones([1, 3])])
    assert [(one.name, one.values.shape) for one in mixtures(model, TASKS)] == [
        ("unit_1/alpha", (2, 2, 4)), ("unit_2/alpha", (2, 2, 2)),
    ]  # fmt: skip


def test_alpha_and_beta_of_a_sluice_network():
    model = Sluice(2, layers=2, units=2)
    model([tf.ones([1, 3])])
    model.beta.assign([[0.1, 0.9], [0.4, 0.6]])
    *alphas, beta = mixtures(model, TASKS)
    assert [alpha.name for alpha in alphas] == ["unit_1/alpha", "unit_2/alpha"]
    subspaces = ["click subspace 1", "click subspace 2", "ratio subspace 1", "ratio subspace 2"]
    assert alphas[0].sources == alphas[0].targets == subspaces
    assert (beta.sources, beta.targets) == (["layer 1", "layer 2"], TASKS)
    np.testing.assert_allclose(beta.values, [[0.1, 0.9], [0.4, 0.6]])
