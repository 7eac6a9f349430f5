"""Networks with fields that only training has, as trained and as served."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

tf = pytest.importorskip("tensorflow")
from tests.trainer.export.test_pruned_network import (  # noqa: E402
    GATED,
    assert_scores_alike,
    every_row,
    trained,
)
from trainer.export.served_network import half_precision_network, pruned_network  # noqa: E402
from trainer.export.small_tables import with_small_tables  # noqa: E402
from trainer.layers.field_embedding import SlotLayout  # noqa: E402
from trainer.network.network import Network  # noqa: E402
from trainer.network.network_layout import TrainingSlot  # noqa: E402
from trainer.settings.train_config import parse_settings  # noqa: E402

pytestmark = pytest.mark.tensorflow


@pytest.fixture(scope="module")
def biased_layout(layout):
    place, device = SlotLayout(0, 1, 4, 20), SlotLayout(1, 1, 2, 5)
    return dataclasses.replace(
        layout, training_only=(TrainingSlot(place, 0.2), TrainingSlot(device, 0.3))
    )


@pytest.fixture(scope="module")
def biased(features):
    random = np.random.default_rng(4)
    rows = len(features["labels"])
    ids = np.stack([random.integers(21, 30, rows), random.integers(6, 10, rows)], axis=1)
    return {**features, "training_ids": ids}


@pytest.fixture(scope="module")
def batch(biased):
    return {name: tf.constant(values) for name, values in biased.items()}


def made(name, layout, batch):
    tf.keras.utils.set_random_seed(0)
    network = Network(layout, parse_settings({"name": name, "tower_units": [5]}, {}))
    network(batch)
    random = np.random.default_rng(0)
    for variable in network.trainable_variables:
        variable.assign(variable + 0.3 * random.normal(size=variable.shape))
    return network


@pytest.mark.parametrize("name", ["ple", "single_task"])
def test_an_evaluated_score_does_not_depend_on_them(name, biased_layout, batch):
    network = made(name, biased_layout, batch)
    served = {name: values for name, values in batch.items() if name != "training_ids"}
    for task, logits in network(batch).items():
        np.testing.assert_array_equal(network(served)[task], logits)


@pytest.mark.parametrize("name", ["ple", "single_task"])
def test_a_logit_in_training_is_that_of_the_network_and_of_the_tower(name, biased_layout, batch):
    network = made(name, biased_layout, batch)
    network.towers[1].deviation.assign(3.0)
    for tower in network.exposure_towers:
        tower.dropout_rates = (0.0, 0.0)
    lookups = network.look_up(batch)
    inputs = network.flat_inputs(lookups, batch)
    found = network.logits(inputs, lookups, training=True)
    for task, logits in enumerate(found.values()):
        tables = network.embeddings[task if name == "single_task" else 0].tables
        tower = network.exposure_towers[task if name == "single_task" else 0]
        w, b, v = (weight.numpy() for weight in tower.weights)
        e = np.concatenate(
            [
                tables["4"].numpy()[batch["training_ids"][:, 0]],
                tables["2"].numpy()[batch["training_ids"][:, 1]],
            ],
            axis=1,
        )
        effects = np.maximum(e @ w + b, 0.0) @ v
        column = 0 if name == "single_task" else task
        represented = network.sharing(inputs)[task]
        # A regression is in units of its deviation.
        expected = network.towers[task](represented) + effects[:, column] * (1.0, 3.0)[task]
        np.testing.assert_allclose(logits, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("settings", [GATED["mssm"], GATED["snr_trans"]], ids=["mssm", "snr_trans"])
def test_a_pruned_network_keeps_the_logit_of_unknown_values(settings, biased_layout, batch):
    whole = trained(biased_layout, batch, settings)
    pruned, _ = pruned_network(whole, every_row(biased_layout))
    assert_scores_alike(whole, pruned, batch)
    request = {name: values[:1] if "request" in name else values for name, values in batch.items()}
    del request["training_ids"]
    assert_scores_alike(whole, pruned, request, one_request=True)


def test_half_precision_and_small_tables_keep_it_too(biased_layout, batch):
    network = made("ple", biased_layout, batch)
    for served, tolerance in (
        (half_precision_network(network), 0.1),
        (with_small_tables(network, "float16"), 0.01),
    ):
        for task, logits in served(batch).items():
            np.testing.assert_allclose(logits, network(batch)[task], atol=tolerance, rtol=tolerance)


@pytest.mark.slow
def test_a_training_takes_the_place_out_of_the_score(biased_layout, biased, tasks, tmp_path):
    """Clicks follow from the place alone, and good users see the best place more often."""
    from trainer.fit.fitting import fit
    from trainer.inputs.examples import Examples

    random = np.random.default_rng(0)
    rows, copies = len(biased["labels"]), 16
    many = {name: np.concatenate([values] * copies) for name, values in biased.items()}
    good = many["request_ids"][:, 0] % 2 == 0
    # Good users are shown at the top, place 21, nine times out of ten; the others at place 22.
    top = np.where(random.random(rows * copies) < 0.9, good, ~good)
    many["training_ids"][:, 0] = np.where(top, 21, 22)
    # Clicks follow from the place alone.
    many["labels"][:, 0] = random.random(rows * copies) < np.where(top, 0.8, 0.2)
    examples = Examples(many)
    settings = parse_settings(
        {"name": "shared_bottom", "tower_units": [8]},
        {"batch_size": 256, "epochs": 6, "patience": 6},
    )

    def spread(layout, folder):
        network = fit(layout, tasks, settings, examples, examples, checkpoint_folder=folder)
        logits = network({name: tf.constant(values) for name, values in many.items()})["click"]
        return network, float(np.mean(logits.numpy()[good]) - np.mean(logits.numpy()[~good]))

    place, device = biased_layout.training_only
    debiasing = dataclasses.replace(
        biased_layout, training_only=(place._replace(dropout_rate=0.05), device)
    )
    network, without_place = spread(debiasing, tmp_path / "debiased")
    _, with_place = spread(dataclasses.replace(biased_layout, training_only=()), tmp_path / "naive")
    # The naive logit of good users is higher by log odds of .74 against .26, 2.1.
    assert with_place > 1.5
    # What is taken for unknown still speaks for good users, so that a part of it stays.
    assert abs(without_place) < 0.75 * with_place
    table = network.embeddings[0].tables["4"].numpy()
    unknown_device = np.repeat(network.embeddings[0].tables["2"].numpy()[5:6], 2, axis=0)
    effects = network.exposure_towers[0].effects([table[[21, 22]], unknown_device]).numpy()
    assert effects[0, 0] - effects[1, 0] > 1.0
