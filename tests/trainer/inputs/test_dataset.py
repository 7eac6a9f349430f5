"""Batches of transformed examples: none lost, their number known, in a new order each epoch."""

from __future__ import annotations

import pytest

tf = pytest.importorskip("tensorflow")
from trainer.inputs.training_inputs import transformed_batches  # noqa: E402

pytestmark = pytest.mark.tensorflow

FEATURES = {"number": tf.io.FixedLenFeature([1], tf.float32)}


@pytest.fixture
def pattern(tmp_path):
    """Ten examples in two files."""
    for file, numbers in enumerate([range(4), range(4, 10)]):
        with tf.io.TFRecordWriter(str(tmp_path / f"part-{file}.gz"), "GZIP") as writer:
            for number in numbers:
                feature = tf.train.Feature(float_list=tf.train.FloatList(value=[number]))
                writer.write(
                    tf.train.Example(
                        features=tf.train.Features(feature={"number": feature})
                    ).SerializeToString()
                )
    return str(tmp_path / "part-*.gz")


def numbers(dataset):
    return [batch["number"].numpy().ravel().tolist() for batch in dataset]


def test_validation_reads_every_example_once(pattern):
    dataset = transformed_batches([pattern], FEATURES, 4)
    batches = numbers(dataset)
    assert sorted(number for batch in batches for number in batch) == list(range(10))
    assert [len(batch) for batch in batches] == [4, 4, 2]
    assert int(dataset.cardinality()) == 3


def test_training_reads_batches_of_one_shape_in_a_new_order_each_epoch(pattern):
    dataset = transformed_batches([pattern], FEATURES, 4, shuffle_seed=1)
    first, second = numbers(dataset), numbers(dataset)
    assert [len(batch) for batch in first] == [4, 4]
    assert first != second
    # 10 examples fill 2 batches of 4.
    assert int(dataset.cardinality()) == 2


def test_no_example_at_all_is_no_batch(tmp_path):
    tf.io.TFRecordWriter(str(tmp_path / "empty.gz"), "GZIP").close()
    assert numbers(transformed_batches([str(tmp_path / "empty.gz")], FEATURES, 4)) == []
