"""Examples come in an order that follows from their content, the seed and the epoch."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

tf = pytest.importorskip("tensorflow")
from trainer.inputs.examples import Examples, sorted_examples  # noqa: E402

pytestmark = pytest.mark.tensorflow

FEATURES = {
    "ids": tf.io.FixedLenFeature([2], tf.int64),
    "numbers": tf.io.FixedLenFeature([1], tf.float32),
    "nothing": tf.io.FixedLenFeature([0], tf.float32),
}


def write(folder, files):
    """Write a gzipped file for each list of numbers and return the glob."""
    folder.mkdir()
    for place, numbers in enumerate(files):
        with tf.io.TFRecordWriter(str(folder / f"part-{place}.gz"), "GZIP") as writer:
            for number in numbers:
                example = tf.train.Example()
                example.features.feature["ids"].int64_list.value.extend([number, number % 3])
                example.features.feature["numbers"].float_list.value.append(number / 2)
                example.features.feature["nothing"].float_list.SetInParent()
                writer.write(example.SerializeToString())
    return [str(folder / "part-*.gz")]


def numbered(rows):
    return Examples({"numbers": np.arange(rows, dtype="f4")[:, None]})


def taken(dataset, batches):
    return [
        batch["numbers"].numpy().ravel().tolist() for batch in itertools.islice(dataset, batches)
    ]


def test_the_order_on_disk_does_not_depend_on_the_files(tmp_path):
    one = write(tmp_path / "one", [range(40), range(40, 100)])
    other = write(tmp_path / "other", [reversed(range(70, 100)), range(70), []])
    first = sorted_examples(one, FEATURES, tmp_path / "first")
    second = sorted_examples(other, FEATURES, tmp_path / "second")
    assert sorted(first.columns["numbers"].ravel() * 2) == list(range(100))
    for name in FEATURES:
        np.testing.assert_array_equal(first.columns[name], second.columns[name])
    # Each row keeps its own features together.
    ids = first.columns["ids"]
    np.testing.assert_array_equal(ids[:, 1], ids[:, 0] % 3)
    np.testing.assert_array_equal(first.columns["numbers"][:, 0], ids[:, 0] / 2)


def test_examples_that_lie_sorted_already_are_not_read_again(tmp_path):
    files = write(tmp_path / "files", [range(10)])
    first = sorted_examples(files, FEATURES, tmp_path / "sorted")
    again = sorted_examples([str(tmp_path / "gone")], FEATURES, tmp_path / "sorted")
    np.testing.assert_array_equal(first.columns["ids"], again.columns["ids"])


def test_what_a_killed_reading_left_is_read_anew(tmp_path):
    folder = tmp_path / "sorted"
    folder.mkdir()
    (folder / "ids.read").write_bytes(b"half")
    files = write(tmp_path / "files", [range(10)])
    assert sorted_examples(files, FEATURES, folder).rows == 10


def test_no_example_at_all_is_no_batch(tmp_path):
    examples = sorted_examples(write(tmp_path / "f", [[]]), FEATURES, tmp_path / "sorted")
    assert examples.rows == 0
    assert list(examples.in_order(4)) == []


def test_a_validation_reads_every_example_once_in_order():
    dataset = numbered(10).in_order(4)
    assert taken(dataset, 9) == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    assert int(dataset.cardinality()) == 3


def test_each_epoch_has_an_order_of_its_own_that_the_seed_decides():
    epochs = taken(numbered(100).shuffled(10, seed=1), 30)
    first, second = (np.ravel(epochs[start : start + 10]).tolist() for start in (0, 10))
    assert sorted(first) == sorted(second) == list(range(100))
    assert first != second
    assert taken(numbered(100).shuffled(10, seed=1), 30) == epochs
    assert taken(numbered(100).shuffled(10, seed=2), 30) != epochs


@pytest.mark.parametrize(("epoch", "step"), [(0, 0), (0, 3), (1, 0), (2, 156)])
def test_a_training_goes_on_in_the_middle_of_an_epoch(epoch, step, monkeypatch):
    # Windows of 4 batches: many in an epoch.
    monkeypatch.setattr("trainer.inputs.examples._WINDOW_BYTES", 4 * 4 * 64)
    monkeypatch.setattr("trainer.inputs.examples._BLOCK_ROWS", 100)
    examples, steps = numbered(10_000), 10_000 // 64
    whole = taken(examples.shuffled(64, seed=3), 3 * steps)
    rest = taken(examples.shuffled(64, seed=3, epoch=epoch, step=step), 2)
    assert rest == whole[epoch * steps + step :][:2] or step == 156
    for number in range(3):
        of_epoch = np.ravel(whole[number * steps : (number + 1) * steps])
        assert len(set(of_epoch)) == steps * 64


def test_the_examples_of_one_task_have_its_labels_and_masks_only():
    columns = {"labels": np.array([[1.0, 2.0]], "f4"), "masks": np.array([[0.0, 1.0]], "f4")}
    own = Examples(columns | {"ids": np.array([[7]])}).of_task(1)
    assert {name: values.tolist() for name, values in own.columns.items()} == {
        "labels": [[2.0]], "masks": [[1.0]], "ids": [[7]],
    }  # fmt: skip
