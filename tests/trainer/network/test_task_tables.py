"""Tables of tasks' own: side by side in one table, and read by the fields that settings name."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

tf = pytest.importorskip("tensorflow")
from trainer.network.network import Network  # noqa: E402
from trainer.network.task_tables import task_tables  # noqa: E402
from trainer.settings.train_config import parse_settings  # noqa: E402

pytestmark = pytest.mark.tensorflow

# Widths of the flattened input: user 2, tab 4, age 1; video 4, tags 4 (a list), price 1.
NAMES = ("user", "tab", "age", "video", "tags", "price")


@pytest.fixture(scope="module")
def named(layout):
    return dataclasses.replace(layout, names=NAMES)


@pytest.fixture(scope="module")
def batch(features):
    return {name: tf.constant(values[:9]) for name, values in features.items()}


def made(layout, batch, **settings):
    tf.keras.utils.set_random_seed(2)
    settings = {"name": "stem", "tower_units": [5], "task_width": 3, **settings}
    network = Network(layout, parse_settings(settings, {}))
    network(batch)
    return network


def test_all_fields_with_rows_of_a_table_are_the_default(named):
    tables = task_tables(named, None, 3)
    assert tables.field_widths(named) == [2, 3, 0, 3, 3, 0]
    # Two tasks side by side: a row of width 2 holds 2 · 2 numbers, one of width 4 holds 2 · 3.
    assert tables.row_widths == {2: 4, 4: 6}


def test_only_named_fields_have_embeddings_of_tasks_and_none_is_wider_than_the_shared_one(named):
    tables = task_tables(named, ["tags", "tab"], None)
    assert tables.field_widths(named) == [0, 4, 0, 0, 4, 0]
    assert tables.row_widths == {4: 8}


@pytest.mark.parametrize(
    ("fields", "message"),
    [(["tab", "price"], "names what has no table: 'price'"), (["tba"], "no table: 'tba'")],
)
def test_a_field_without_a_table_is_refused(named, fields, message):
    with pytest.raises(ValueError, match=message):
        task_tables(named, fields, 4)


def test_each_task_reads_its_columns_of_the_rows_that_the_shared_table_has(named, batch):
    network = made(named, batch, task_fields=["user", "video", "tags"])
    shared, *own = network.flat_inputs(network.look_up(batch), batch)
    assert (shared.shape, [x.shape for x in own]) == ((9, 16), [(9, 8), (9, 8)])
    of_tasks = network.embeddings[1]
    for task, x in enumerate(own):
        columns = slice(3 * task, 3 * task + 3)
        users = of_tasks.tables["2"].numpy()[:, 2 * task : 2 * task + 2]
        rows = of_tasks.tables["4"].numpy()[:, columns]
        np.testing.assert_array_equal(x[:, :2], users[batch["request_ids"][:, 1]])
        videos, tags = batch["candidate_ids"][:, 0].numpy(), batch["candidate_ids"][:, 1:].numpy()
        np.testing.assert_array_equal(x[:, 2:5], rows[videos])
        # A list is the mean of its rows, without its padding, row 1.
        for row, ids in enumerate(tags):
            kept = [rows[i] for i in ids if i != 1]
            mean = np.mean(kept, axis=0) if kept else np.zeros(3)
            np.testing.assert_allclose(x[row, 5:], mean, atol=1e-6)


@pytest.mark.parametrize(
    "fields", [None, ["user"], ["video"], ["tab", "tags"]], ids=["all", "user", "item", "both"]
)
def test_a_request_scores_as_its_rows(named, batch, fields):
    network = made(named, batch, task_fields=fields)
    for variable in network.trainable_variables:
        variable.assign(tf.random.normal(variable.shape, stddev=0.5))
    rows = {
        name: tf.repeat(values[:1], 9, axis=0) if name.startswith("request") else values
        for name, values in batch.items()
    }
    once = {
        name: values[:1] if name.startswith("request") else values for name, values in batch.items()
    }
    expected = network(rows)
    for task, logits in network(once, one_request=True).items():
        np.testing.assert_allclose(logits, expected[task], rtol=1e-4, atol=1e-5)


def test_a_task_trains_its_own_columns_and_the_shared_tables_only(named, batch):
    network = made(named, batch, task_fields=["user"])
    for variable in network.trainable_variables:
        variable.assign(tf.random.normal(variable.shape, stddev=0.5))
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(network(batch)["ratio"])
    shared, of_tasks = (embedding.tables["2"] for embedding in network.embeddings)
    of_shared, of_own = tape.gradient(loss, [shared, of_tasks])
    own = tf.convert_to_tensor(of_own).numpy()
    assert not own[:, :2].any()
    assert own[:, 2:].any()
    assert np.any(tf.convert_to_tensor(of_shared))


def test_fields_must_have_embeddings_to_be_fields_of_tasks():
    inputs = {"user": True, "price": False}
    settings = {"name": "stem", "task_fields": ["price"]}
    with pytest.raises(
        ValueError, match="model.task_fields: no such field 'price' with embeddings.*valid: user"
    ):
        parse_settings(settings, {}, inputs)
    assert parse_settings({**settings, "task_fields": ["user"]}, {}, inputs).name == "stem"
