"""Networks whose fields are crossed before the sharing architecture, as trained and as served."""

from __future__ import annotations

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
from trainer.export.xla_scorer import XlaScorer  # noqa: E402
from trainer.inspect.introspection import cross_strengths  # noqa: E402
from trainer.inspect.signature import inspection_guide, introspection_outputs  # noqa: E402
from trainer.network.network import Network  # noqa: E402
from trainer.settings.model_config import MODELS  # noqa: E402
from trainer.settings.train_config import parse_settings  # noqa: E402

pytestmark = pytest.mark.tensorflow

CROSSED = {"cross_layers": 2, "cross_rank": 3, "tower_units": [5]}


@pytest.fixture(scope="module")
def batch(attended_features):
    return {name: tf.constant(values) for name, values in attended_features.items()}


def of_one_request(batch):
    return {name: values[:1] if "request" in name else values for name, values in batch.items()}


def as_rows(request):
    count = request["candidate_ids"].shape[0]
    return {
        name: tf.repeat(values, count, axis=0) if "request" in name else values
        for name, values in request.items()
    }


def crossed(name, layout, batch, **settings):
    tf.keras.utils.set_random_seed(0)
    network = Network(
        layout, parse_settings({"name": name, **CROSSED, **settings}, {}), name="network"
    )
    network(batch)
    random = np.random.default_rng(0)
    for variable in network.trainable_variables:
        variable.assign(variable + 0.1 * random.normal(size=variable.shape))
    return network


@pytest.mark.parametrize("name", MODELS)
def test_candidates_of_one_request_score_as_rows_do(name, attended_layout, batch):
    network, request = crossed(name, attended_layout, batch), of_one_request(batch)
    by_row = network(as_rows(request))
    for task, logits in network(request, one_request=True).items():
        np.testing.assert_allclose(logits, by_row[task], rtol=1e-4, atol=1e-5)


def test_crosses_stand_between_the_fields_and_the_sharing_architecture(layout, features):
    batch = {name: tf.constant(values) for name, values in features.items()}
    network = crossed("ple", layout, batch)
    [x] = network.embed(batch)
    crosses, network.crosses = network.crosses, []
    [fields] = network.embed(batch)
    np.testing.assert_allclose(x, crosses[0](fields), atol=1e-6)
    assert not np.allclose(x, fields)


def test_each_set_of_tables_has_crosses_of_its_own(attended_layout, batch):
    network = crossed("single_task", attended_layout, batch)
    assert [cross.layers for cross in network.crosses] == [2, 2]
    assert len({cross.name for cross in network.crosses}) == 2


def test_a_model_without_layers_has_no_crosses(layout):
    assert not Network(layout, parse_settings({"cross_rank": 3}, {})).crosses


@pytest.mark.parametrize("settings", GATED.values(), ids=GATED)
@pytest.mark.parametrize("open_share", [0.3, 1.0])
def test_a_pruned_network_scores_as_the_whole_one(settings, open_share, attended_layout, batch):
    whole = trained(attended_layout, batch, {**settings, **CROSSED}, open_share=open_share)
    pruned, multiplications = pruned_network(whole, every_row(attended_layout))
    assert_scores_alike(whole, pruned, batch)
    assert_scores_alike(whole, pruned, of_one_request(batch), one_request=True)
    before, after = multiplications.all_open, multiplications.remaining
    request_width = sum(attended_layout.field_widths[: attended_layout.request_fields])
    assert before.request == after.request == 3 * request_width
    assert (before.candidate == after.candidate) == (open_share == 1.0)


@pytest.mark.parametrize("name", ["ple", "mssm", "single_task"])
def test_a_bfloat16_network_scores_near_the_whole_one(name, attended_layout, batch):
    network = crossed(name, attended_layout, batch)
    half = half_precision_network(network)
    assert {cross.compute_dtype for cross in half.crosses} == {"bfloat16"}
    for task, logits in half(batch).items():
        exact = network(batch)[task].numpy()
        assert 0.0 < np.abs(logits - exact).max() < 0.05 * max(1.0, np.abs(exact).max())


def test_small_tables_and_xla_keep_the_crosses(attended_layout, batch):
    network, request = crossed("ple", attended_layout, batch), of_one_request(batch)
    small = with_small_tables(network, "float16")
    assert_close(small(batch), network(batch), 0.01)
    del request["labels"], request["masks"]
    by_xla = XlaScorer(network, [100, 300])(request)
    assert_close(by_xla, network(request, one_request=True), 1e-4)


def assert_close(found, expected, tolerance):
    for task, logits in found.items():
        np.testing.assert_allclose(logits, expected[task], atol=tolerance)


def test_the_gradient_reaches_every_variable_of_the_crosses(layout, features):
    batch = {name: tf.constant(values) for name, values in features.items()}
    network = crossed("mmoe", layout, batch)
    with tf.GradientTape() as tape:
        loss = tf.add_n([tf.reduce_sum(tf.square(one)) for one in network(batch).values()])
    variables = network.crosses[0].trainable_variables
    assert len(variables) == 6
    for gradient in tape.gradient(loss, variables):
        assert np.any(gradient)


def test_inspection_shows_the_norm_of_each_pair_of_fields(layout, features):
    batch = {name: tf.constant(values) for name, values in features.items()}
    network = crossed("single_task", layout, batch)
    fields = ["u2", "u4", "u", "i4", "tags", "i"]
    # Widths 2, 4, 1, 4, 4, 1.
    strengths = cross_strengths(network, fields)
    assert [one.name for one in strengths] == [
        f"{task}/cross_{layer}/W" for task in ("click", "ratio") for layer in (1, 2)
    ]
    matrix = network.crosses[0].matrices()[0]
    # The block of rows 2–5 (u4) and columns 7–10 (i4).
    expected = np.sqrt(np.sum(matrix[2:6, 7:11] ** 2))
    assert float(strengths[0].values[1, 3]) == pytest.approx(expected, rel=1e-5)
    guide = inspection_guide(network, fields)
    assert [one.name for one in guide.mixtures] == [one.name for one in strengths]


def test_field_masks_are_those_of_crossed_fields(layout, features):
    batch = {name: tf.constant(values) for name, values in features.items()}
    network = crossed("mssm", layout, batch)
    outputs = introspection_outputs(network, batch)
    masks = network.sharing.subnetworks.masks(network.embed(batch)[0])
    np.testing.assert_allclose(outputs["field_mask/shared"], np.asarray(masks)[:, -1], atol=1e-6)
