"""Networks that read given vectors, as trained and as served."""

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
from trainer.export.served_network import half_precision_network, pruned_network  # noqa: E402
from trainer.export.xla_scorer import XlaScorer  # noqa: E402
from trainer.layers.field_embedding import flat_order  # noqa: E402
from trainer.network.network import Network  # noqa: E402
from trainer.network.network_layout import FieldRows, VectorPlace  # noqa: E402
from trainer.settings.model_config import MODELS  # noqa: E402
from trainer.settings.train_config import parse_settings  # noqa: E402

pytestmark = pytest.mark.tensorflow


@pytest.fixture(scope="module")
def with_vectors(attended_layout):
    return dataclasses.replace(
        attended_layout,
        vectors={
            "request": (VectorPlace(3, 2, normalise=True),),
            "candidate": (VectorPlace(4, 3, normalise=False), VectorPlace(2, 2, normalise=False)),
        },
    )


@pytest.fixture(scope="module")
def batch(attended_features):
    random = np.random.default_rng(2)
    rows = len(attended_features["labels"])
    request = random.normal(size=(rows, 3)).astype("f4")
    request[::4] = np.nan
    candidate = random.normal(size=(rows, 6)).astype("f4")
    candidate[1::3, 4:] = np.nan
    vectors = {"request_vectors": request, "candidate_vectors": candidate}
    return {name: tf.constant(v) for name, v in (attended_features | vectors).items()}


def made(name, layout, batch):
    tf.keras.utils.set_random_seed(0)
    network = Network(layout, parse_settings({"name": name, "tower_units": [5]}, {}))
    network(batch)
    random = np.random.default_rng(0)
    for variable in network.trainable_variables:
        variable.assign(variable + 0.1 * random.normal(size=variable.shape))
    return network


def of_one_request(batch):
    return {name: values[1:2] if "request" in name else values for name, values in batch.items()}


def test_vectors_are_fields_of_their_width_behind_the_numbers_of_their_side(with_vectors, batch):
    # Request: 2, 4, a number and a vector; candidate: 4, 4, a number and two; then two histories.
    assert with_vectors.field_widths == [2, 4, 1, 2, 4, 4, 1, 3, 2, 15, 4]
    assert with_vectors.request_fields == 4
    assert with_vectors.pooled_fields == [3, 7, 8, 9, 10]
    network = made("ple", with_vectors, batch)
    [x] = network.embed(batch)
    [projections] = network.projections
    parts = [
        batch["request_vectors"],
        batch["candidate_vectors"][:, :4],
        batch["candidate_vectors"][:, 4:],
    ]
    for first, projection, part in zip((7, 18, 21), projections, parts, strict=True):
        np.testing.assert_array_equal(x[:, first : first + projection.units], projection(part))


@pytest.mark.parametrize("name", MODELS)
def test_candidates_of_one_request_score_as_rows_do(name, with_vectors, batch):
    network, request = made(name, with_vectors, batch), of_one_request(batch)
    count = batch["candidate_ids"].shape[0]
    rows = {
        name: tf.repeat(values, count, axis=0) if "request" in name else values
        for name, values in request.items()
    }
    by_row = network(rows)
    for task, logits in network(request, one_request=True).items():
        np.testing.assert_allclose(logits, by_row[task], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("settings", [GATED["mssm"], GATED["snr_trans"]], ids=["mssm", "snr_trans"])
def test_a_pruned_network_keeps_vectors_and_scores_alike(settings, with_vectors, batch):
    whole = trained(with_vectors, batch, settings, open_share=0.3)
    rows = []
    for side in ("request", "candidate"):
        slots = flat_order(with_vectors.slots[side])
        rows += [
            FieldRows(np.arange(with_vectors.table_rows[slot.width]), slot.length > 1)
            for slot in slots
        ]
        rows += [FieldRows(None, is_list=False)] * (
            with_vectors.numbers[side] + len(with_vectors.vectors_of(side))
        )
    rows += [FieldRows(None, is_list=False)] * 2
    pruned, _ = pruned_network(whole, rows)
    assert {2, 3, 6, 7, 8, 9, 10} <= set(pruned.sharing.fields)
    assert_scores_alike(whole, pruned, batch)
    assert_scores_alike(whole, pruned, of_one_request(batch), one_request=True)


def test_half_precision_and_xla_score_alike(with_vectors, batch):
    network, request = made("ple", with_vectors, batch), of_one_request(batch)
    exact = network(batch)
    for task, logits in half_precision_network(network)(batch).items():
        np.testing.assert_allclose(logits, exact[task], atol=0.1)
    del request["labels"], request["masks"]
    expected = network(request, one_request=True)
    for task, logits in XlaScorer(network, [300])(request).items():
        np.testing.assert_allclose(logits, expected[task], atol=1e-4)


@pytest.mark.slow
def test_a_network_of_vectors_alone_learns_from_them(with_vectors, batch, tasks, tmp_path):
    from trainer.fit.fitting import fit
    from trainer.inputs.examples import Examples

    layout = dataclasses.replace(
        with_vectors,
        table_rows={},
        slots={"request": (), "candidate": ()},
        numbers={"request": 0, "candidate": 0},
        attentions=(),
    )
    features = {
        name: values.numpy()
        for name, values in batch.items()
        if name in ("request_vectors", "candidate_vectors", "labels", "masks")
    }
    features["labels"] = features["labels"].copy()
    features["labels"][:, 0] = features["candidate_vectors"][:, 0] > 0.0
    examples = Examples(features)
    settings = parse_settings(
        {"name": "shared_bottom", "tower_units": [8]},
        {"batch_size": 64, "epochs": 40, "patience": 40, "learning_rate": 0.01},
    )
    network = fit(layout, tasks, settings, examples, examples, checkpoint_folder=tmp_path)
    logits = network({name: tf.constant(values) for name, values in features.items()})["click"]
    right = (logits.numpy() > 0.0) == (features["labels"][:, 0] > 0.5)
    assert right.mean() > 0.9
