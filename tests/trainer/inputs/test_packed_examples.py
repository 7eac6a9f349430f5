"""Examples of files become columns whose order follows from their content."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

tf = pytest.importorskip("tensorflow")
from trainer.inputs.packed_examples import content_key, packed_examples  # noqa: E402

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


def test_the_order_on_disk_does_not_depend_on_the_files(tmp_path):
    one = write(tmp_path / "one", [range(40), range(40, 100)])
    other = write(tmp_path / "other", [reversed(range(70, 100)), range(70), []])
    first = packed_examples(one, FEATURES, tmp_path / "first")
    second = packed_examples(other, FEATURES, tmp_path / "second")
    assert sorted(first.columns["numbers"].ravel() * 2) == list(range(100))
    for name in FEATURES:
        np.testing.assert_array_equal(first.columns[name], second.columns[name])
    # Each row keeps its own features together.
    ids = first.columns["ids"]
    np.testing.assert_array_equal(ids[:, 1], ids[:, 0] % 3)
    np.testing.assert_array_equal(first.columns["numbers"][:, 0], ids[:, 0] / 2)


def test_examples_that_lie_sorted_already_are_not_read_again(tmp_path):
    files = write(tmp_path / "files", [range(10)])
    first = packed_examples(files, FEATURES, tmp_path / "sorted")
    again = packed_examples([str(tmp_path / "gone")], FEATURES, tmp_path / "sorted")
    np.testing.assert_array_equal(first.columns["ids"], again.columns["ids"])


def test_what_a_killed_reading_left_is_read_anew(tmp_path):
    folder = tmp_path / "sorted"
    folder.mkdir()
    (folder / "ids.read").write_bytes(b"half")
    files = write(tmp_path / "files", [range(10)])
    assert packed_examples(files, FEATURES, folder).rows == 10


def test_no_example_at_all_is_no_batch(tmp_path):
    examples = packed_examples(write(tmp_path / "f", [[]]), FEATURES, tmp_path / "sorted")
    assert examples.rows == 0
    assert list(examples.in_order(4)) == []


def test_columns_have_one_name_whether_or_not_folders_are_listed_with_a_slash(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    graph = tmp_path / "transform_fn"
    (graph / "assets").mkdir(parents=True)
    (graph / "assets" / "words").write_bytes(b"a\n")
    (graph / "saved_model.pb").write_bytes(b"graph")
    expected = content_key([], str(graph), "kind")
    walk = tf.io.gfile.walk

    def walk_of_a_store(top: str) -> Iterator[tuple[str, list[str], list[str]]]:
        """As TensorFlow walks gs://."""
        for folder, folders, files in walk(top):
            below = folder if folder == top else f"{folder}/"
            yield below, [f"{name}/" for name in folders], files

    opened: list[str] = []
    file = tf.io.gfile.GFile

    def opening(path: str, mode: str) -> object:
        opened.append(path)
        return file(path, mode)

    monkeypatch.setattr(tf.io.gfile, "walk", walk_of_a_store)
    monkeypatch.setattr(tf.io.gfile, "GFile", opening)
    assert content_key([], str(graph), "kind") == expected
    # A store knows no file of two slashes.
    assert opened == [str(graph / "saved_model.pb"), str(graph / "assets" / "words")]
