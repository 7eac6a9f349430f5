"""Histories in the network: what candidates attend to, in all models, served and pruned as trained."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

tf = pytest.importorskip("tensorflow")
from trainer.export.served_network import half_precision_network  # noqa: E402
from trainer.layers.field_embedding import SlotLayout, flattened, set_apart  # noqa: E402
from trainer.network.attention_layout import AttentionLayout, Search  # noqa: E402
from trainer.network.network import Network  # noqa: E402
from trainer.settings.model_config import MODELS  # noqa: E402

pytestmark = pytest.mark.tensorflow

ITEM, TAGS = SlotLayout(0, 1, 2, 0), SlotLayout(1, 2, 2, 1)


def tensors(features, rows=slice(None)):
    return {key: tf.constant(value[rows]) for key, value in features.items()}


def one_request(features, candidates=9):
    """The first request with several candidates, once for each and once for all."""
    repeated = {
        key: np.repeat(value[:1], candidates, axis=0) if "request" in key else value[:candidates]
        for key, value in features.items()
    }
    once = {key: value[:1] if "request" in key else value for key, value in repeated.items()}
    return tensors(repeated), tensors(once)


@pytest.fixture
def network(attended_layout, attended_features, settings):
    """A network whose tables are far from 0."""

    def make(name="ple", layout=attended_layout):
        tf.keras.utils.set_random_seed(3)
        result = Network(layout, settings(name), name="network")
        result(tensors(attended_features))
        for table in result.embedding_tables:
            table.assign(tf.random.normal(table.shape))
        return result

    return make


def test_a_pooled_history_is_a_field_of_the_candidate_behind_all_others(attended_layout):
    # Three lists of width 4 make 12 units, which five heads share as 5 · 3; DIN sums width 4.
    assert attended_layout.field_widths == [2, 4, 1, 4, 4, 1, 15, 4]
    assert attended_layout.pooled_fields == [6, 7]
    assert attended_layout.request_fields == 3


@pytest.mark.parametrize("name", list(MODELS))
def test_one_request_scores_as_repeated_requests(name, network, attended_features):
    made = network(name)
    repeated, once = one_request(attended_features)
    whole, split = made(repeated), made(once, one_request=True)
    for task in made.layout.tasks:
        np.testing.assert_allclose(whole[task], split[task], rtol=1e-4, atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["ple", "mssm", "single_task"])
def test_xla_scores_as_the_graph_does(name, network, attended_features):
    made = network(name)
    repeated, once = one_request(attended_features)
    compiled = tf.function(made, jit_compile=True, autograph=False)
    for task, exact in made(repeated).items():
        for scores in (compiled(repeated), compiled(once, one_request=True)):
            np.testing.assert_allclose(scores[task], exact, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", list(MODELS))
def test_scores_depend_on_the_history_and_reach_its_layers(name, network, attended_features):
    made = network(name)
    batch = tensors(attended_features)
    with tf.GradientTape() as tape:
        loss = tf.add_n([tf.reduce_sum(tf.square(logits)) for logits in made(batch).values()])
    layers = [layer for of_set in made.attentions for layer in of_set]
    assert len(layers) == 2 * len(made.attentions)
    for gradient in tape.gradient(loss, [v for layer in layers for v in layer.trainable_variables]):
        assert np.isfinite(gradient).all()
        assert np.any(gradient)
    emptied = attended_features["request_ids"].copy()
    emptied[:, 2:] = [0] * 3 + [1] * 3 + [0] * 10
    without = made({**batch, "request_ids": tf.constant(emptied)})
    assert all(np.isfinite(logits).all() for logits in without.values())
    assert not np.allclose(without["click"], made(batch)["click"], atol=1e-3)


@pytest.mark.parametrize("name", ["ple", "mssm", "single_task"])
def test_half_precision_keeps_near(name, network, attended_features):
    made = network(name)
    repeated, once = one_request(attended_features, 50)
    half = half_precision_network(made)
    assert {layer.compute_dtype for of_set in half.attentions for layer in of_set} == {"bfloat16"}
    for task, exact in made(repeated).items():
        for scores in (half(repeated)[task], half(once, one_request=True)[task]):
            difference = np.abs(scores - exact).max()
            assert 0.0 < difference < 0.05 * max(1.0, np.abs(exact).max())


def small(pooling="dot_product", search=None, marks=(), counterparts=(("candidate", ITEM),)):
    """A network with one history, of which everything but the pooled vector is left out."""
    from trainer.network.network_layout import NetworkLayout
    from trainer.settings.train_config import parse_settings

    values = (SlotLayout(0, 3, 2, 0), SlotLayout(3, 3, 2, 1))[: len(counterparts)]
    layout = NetworkLayout(
        table_rows={2: 8},
        slots={"request": (), "candidate": (ITEM, TAGS)},
        numbers={"request": 0, "candidate": 0},
        tasks={"click": "binary"},
        attentions=(
            AttentionLayout("past", values, tuple(counterparts), marks, pooling, 1, search),
        ),
    )
    made = Network(layout, parse_settings({"name": "shared_bottom"}, {}), name="network")
    batch = {"request_ids": tf.zeros([1, 6], tf.int64), "candidate_ids": tf.zeros([1, 3], tf.int64)}
    made(batch)
    # Row r is [r, 10 r].
    made.embeddings[0].tables["2"].assign([[r, 10.0 * r] for r in range(8)])
    return made


def history(made, request, candidate):
    ids = {
        "request_ids": tf.constant(request, tf.int64),
        "candidate_ids": tf.constant(candidate, tf.int64),
    }
    [[result]] = made.histories(ids)
    return result


def test_entries_are_the_aligned_lists_side_by_side_and_candidates_their_own_fields():
    made = small(counterparts=(("candidate", ITEM), ("candidate", TAGS)))
    # Lists [2, 3, padding 0] and [4, missing 1, padding 1]; the item 5 with tags 6 and 7.
    found = history(made, [[2, 3, 0, 4, 1, 1]], [[5, 6, 7]])
    assert found.entries.numpy()[0].tolist() == [[2, 20, 4, 40], [3, 30, 1, 10], [0, 0, 1, 10]]
    assert found.candidates.numpy().tolist() == [[5, 50, 6.5, 65]]
    # An entry counts where one of its values is there.
    assert found.mask.numpy().tolist() == [[True, True, False]]
    assert found.marks.shape == (1, 3, 0)


def test_marks_stand_beside_the_values_and_tell_that_an_entry_is_there():
    made = small(marks=(SlotLayout(3, 3, 2, 1),))
    found = history(made, [[2, 0, 0, 4, 5, 1]], [[5, 6, 7]])
    assert found.marks.numpy()[0].tolist() == [[4, 40], [5, 50], [1, 10]]
    assert found.mask.numpy().tolist() == [[True, True, False]]


def test_a_search_leaves_the_entries_with_the_candidates_value():
    # Rows 0 to 2 stand for missing and unknown values.
    made = small(search=Search(0, 3))
    found = history(made, [[5, 4, 5, 0, 0, 0]] * 4, [[5, 1, 1], [4, 1, 1], [6, 1, 1], [0, 1, 1]])
    assert found.mask.numpy().tolist() == [
        [True, False, True], [False, True, False], [False] * 3, [False] * 3,
    ]  # fmt: skip


def test_a_search_by_unknown_values_finds_nothing():
    made = small(search=Search(0, 3))
    assert not history(made, [[2, 1, 0, 0, 0, 0]], [[2, 1, 1]]).mask.numpy().any()
    # Where only the row of a missing value is no value, bucket 2 is found.
    made = small(search=Search(0, 1))
    assert history(made, [[2, 1, 0, 0, 0, 0]], [[2, 1, 1]]).mask.numpy().tolist() == [
        [True, False, False]
    ]


def test_a_search_by_a_list_of_the_candidate_finds_each_of_its_values():
    made = small(search=Search(0, 3), counterparts=(("candidate", TAGS),))
    assert history(made, [[5, 6, 7, 0, 0, 0]], [[3, 5, 7]]).mask.numpy().tolist() == [
        [True, False, True]
    ]


def test_lists_that_are_attended_to_are_not_pooled_as_means_too():
    made = small()
    ids = {
        "request_ids": tf.constant([[5, 4, 5, 1, 1, 1]]),
        "candidate_ids": tf.constant([[5, 6, 7]]),
    }
    [flat] = made.embed(ids)
    # The candidate's item and the mean of its tags, then the pooled vector.
    assert flat.shape == (1, 6)
    assert flat.numpy()[0, :4].tolist() == [5, 50, 6.5, 65]


def test_a_candidates_own_entry_has_the_largest_weight_of_matching_kernels():
    made = small()
    [[layer]] = made.attentions
    layer.query.assign(tf.reshape(tf.eye(2), [2, 1, 2]))
    layer.key.assign(tf.reshape(tf.eye(2), [2, 1, 2]))
    made.embeddings[0].tables["2"].assign([[np.cos(r), np.sin(r)] for r in range(8)])
    for own in (4, 5, 6):
        weights = layer.entry_weights(history(made, [[4, 5, 6, 1, 1, 1]], [[own, 1, 1]]))
        assert np.argmax(weights[0, 0]) == own - 4


def test_what_is_set_apart_is_what_would_have_been_looked_up_alone():
    from trainer.layers.field_embedding import FieldEmbedding

    slots = [SlotLayout(0, 1, 2, 0), SlotLayout(1, 3, 2, 1), SlotLayout(4, 1, 1, 0), SlotLayout(5, 1, 2, 0), SlotLayout(6, 2, 2, 0)]  # fmt: skip
    ids = tf.constant(np.random.default_rng(0).integers(0, 4, (5, 8)))
    layer = FieldEmbedding({2: 5, 1: 4})
    whole = layer(ids, slots=slots)
    for kept in ([], slots[:1], slots[1:3], slots[::2], slots):
        found, apart = set_apart(whole, slots, kept)
        for one, other in zip(found, layer(ids, slots=kept), strict=True):
            np.testing.assert_array_equal(one, other)
        assert apart.keys() == set(slots) - set(kept)
        for slot, rows in apart.items():
            np.testing.assert_array_equal(rows, layer(ids, slots=[slot])[0])
    assert flattened(*[set_apart(whole, slots, slots[:1])[0]], ids, None, slots[:1]).shape == (5, 2)


def test_without_attended_histories_nothing_is_set_apart(layout, settings, features):
    made = Network(layout, settings("ple"), name="network")
    made(tensors(features))
    assert made.layout.looked_up == {side: tuple(slots) for side, slots in layout.slots.items()}
    assert made.attentions == [[]]
    assert dataclasses.replace(layout, attentions=()) == layout
