"""A network whose tasks predict how labels are distributed, in all its forms."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

tf = pytest.importorskip("tensorflow")
from trainer.export.served_network import half_precision_network, pruned_network  # noqa: E402
from trainer.fit.base_rates import begin_at_base_rates  # noqa: E402
from trainer.inputs.examples import Examples  # noqa: E402
from trainer.network.network import Network  # noqa: E402
from trainer.network.network_layout import FieldRows, HeadLayout  # noqa: E402
from trainer.settings.train_config import parse_settings  # noqa: E402

pytestmark = pytest.mark.tensorflow

HEADS = {"watch": HeadLayout("ordinal", 6), "share": HeadLayout("quantiles", 4)}


@pytest.fixture(scope="module")
def batch(features):
    """One request and eight candidates."""
    return {
        name: tf.constant(values[: 1 if name.startswith("request") else 8])
        for name, values in features.items()
        if name not in ("labels", "masks")
    }


@pytest.fixture(scope="module")
def network(layout, features):
    """A network that begins with labels, and has learnt something else since."""
    tf.keras.utils.set_random_seed(1)
    headed = dataclasses.replace(
        layout,
        tasks={"click": "binary", "watch": "regression", "share": "regression"},
        heads=HEADS,
    )
    result = Network(headed, parse_settings({"name": "mssm", "units": 6, "tower_units": [5]}, {}))
    random = np.random.default_rng(1)
    rows = len(features["labels"])
    labels = np.stack([np.ones(rows), np.arange(rows), random.random(rows)], axis=1).astype("f4")
    masks = np.ones((rows, 3), "f4")
    # What lies outside a sample space makes no cuts.
    masks[:10, 1], labels[:10, 1] = 0.0, 1e9
    examples = Examples({**features, "labels": labels, "masks": masks})
    result.make_variables(examples.first_rows(8))
    begin_at_base_rates(result, examples)
    for table in result.embedding_tables:
        table.assign(tf.random.normal(table.shape))
    return result


def test_cuts_are_made_of_the_labels_in_the_sample_space(network):
    cuts = network.heads["watch"].cuts.numpy()
    assert (cuts[0], cuts[-1]) == (10.0, 255.0)
    assert list(network.heads) == ["watch", "share"]


def test_a_score_is_the_mean_and_one_number_a_row(network, batch):
    logits = network(batch, one_request=True)
    assert [logits[task].shape for task in logits] == [[8], [8, 6], [8, 4]]
    scores = network.scores(logits)
    assert all(score.shape == [8] for score in scores.values())
    watch, share = scores["watch"].numpy(), scores["share"].numpy()
    assert (watch.min() >= 10.0, watch.max() <= 255.0) == (True, True)
    assert (share.min() >= 0.0, share.max() <= 1.0) == (True, True)


def test_requests_and_rows_score_alike(network, batch):
    rows = {
        name: tf.repeat(values, 8, axis=0) if name.startswith("request") else values
        for name, values in batch.items()
    }
    for one, other in zip(
        network.scores(network(batch, one_request=True)).values(),
        network.scores(network(rows)).values(),
        strict=True,
    ):
        np.testing.assert_allclose(one, other, rtol=1e-5)


def test_pruned_and_in_half_precision_it_scores_alike(network, layout, batch):
    expected = network.scores(network(batch, one_request=True))
    every_row = [FieldRows(None, is_list=False) for _ in range(len(network.layout.field_widths))]
    pruned = pruned_network(network, every_row).network
    for task, scores in pruned.scores(pruned(batch, one_request=True)).items():
        np.testing.assert_allclose(scores, expected[task], rtol=1e-5)
    half = half_precision_network(network)
    for task, scores in half.scores(half(batch, one_request=True)).items():
        np.testing.assert_allclose(scores, expected[task], rtol=0.05, atol=0.02)
