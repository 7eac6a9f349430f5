"""Networks whose lists have weights, as trained and as served."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

tf = pytest.importorskip("tensorflow")
from tests.trainer.export.test_pruned_network import (  # noqa: E402
    GATED,
    assert_scores_alike,
    trained,
)
from tests.trainer.network.test_vectors import made, of_one_request  # noqa: E402
from trainer.export.served_network import half_precision_network, pruned_network  # noqa: E402
from trainer.export.xla_scorer import XlaScorer  # noqa: E402
from trainer.layers.field_embedding import flat_order  # noqa: E402
from trainer.network.network_layout import FieldRows  # noqa: E402
from trainer.settings.model_config import MODELS  # noqa: E402

pytestmark = pytest.mark.tensorflow
SIDES = ("request", "candidate")


@pytest.fixture(scope="module")
def weighted(attended_layout):
    """The layout with weights of every list that no candidate attends to."""
    slots = {}
    for side in SIDES:
        own, start = [], 0
        for slot in attended_layout.slots[side]:
            has_weights = slot.length > 1
            own.append(slot._replace(weights=start) if has_weights else slot)
            start += slot.length if has_weights else 0
        slots[side] = tuple(own)
    return dataclasses.replace(attended_layout, slots={**attended_layout.slots, **slots})


@pytest.fixture(scope="module")
def batch(weighted, attended_features):
    random = np.random.default_rng(3)
    rows = len(attended_features["labels"])
    weights = {}
    for side in SIDES:
        columns = sum(slot.length for slot in weighted.slots[side] if slot.weights is not None)
        if columns:
            weights[f"{side}_list_weights"] = random.random((rows, columns)).astype("f4")
    assert weights
    return {name: tf.constant(v) for name, v in (attended_features | weights).items()}


@pytest.mark.parametrize("name", MODELS)
def test_candidates_of_one_request_score_as_rows_do(name, weighted, batch):
    network, request = made(name, weighted, batch), of_one_request(batch)
    count = batch["candidate_ids"].shape[0]
    rows = {
        name: tf.repeat(values, count, axis=0) if "request" in name else values
        for name, values in request.items()
    }
    by_row = network(rows)
    for task, logits in network(request, one_request=True).items():
        np.testing.assert_allclose(logits, by_row[task], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["ple", "mssm", "stem", "single_task"])
def test_weights_matter_and_equal_ones_are_none(name, weighted, attended_layout, batch):
    network, plain = made(name, weighted, batch), made(name, attended_layout, batch)
    plain.set_weights(network.get_weights())
    expected = plain(batch)
    alike = {
        name: tf.ones_like(values) if "list_weights" in name else values
        for name, values in batch.items()
    }
    for task, logits in network(alike).items():
        np.testing.assert_allclose(logits, expected[task], rtol=1e-4, atol=1e-5)
    assert any(
        np.abs(logits - expected[task]).max() > 1e-3 for task, logits in network(batch).items()
    )


@pytest.mark.parametrize("settings", [GATED["mssm"], GATED["snr_trans"]], ids=["mssm", "snr_trans"])
def test_a_pruned_network_scores_alike(settings, weighted, batch):
    whole = trained(weighted, batch, settings, open_share=0.3)
    rows = []
    for side in SIDES:
        rows += [
            FieldRows(np.arange(weighted.table_rows[slot.width]), slot.length > 1)
            for slot in flat_order(weighted.slots[side])
        ]
        rows += [FieldRows(None, is_list=False)] * weighted.numbers[side]
    rows += [FieldRows(None, is_list=False)] * 2
    pruned, _ = pruned_network(whole, rows)
    assert_scores_alike(whole, pruned, batch)
    assert_scores_alike(whole, pruned, of_one_request(batch), one_request=True)


def test_half_precision_and_xla_score_alike(weighted, batch):
    network, request = made("ple", weighted, batch), of_one_request(batch)
    exact = network(batch)
    for task, logits in half_precision_network(network)(batch).items():
        np.testing.assert_allclose(logits, exact[task], atol=0.1)
    del request["labels"], request["masks"]
    expected = network(request, one_request=True)
    for task, logits in XlaScorer(network, [300])(request).items():
        np.testing.assert_allclose(logits, expected[task], atol=1e-4)
