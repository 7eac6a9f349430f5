"""Examples come in an order that follows from their content, the seed and the epoch."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

tf = pytest.importorskip("tensorflow")
from trainer.inputs.examples import Examples  # noqa: E402

pytestmark = pytest.mark.tensorflow


def numbered(rows):
    return Examples({"numbers": np.arange(rows, dtype="f4")[:, None]})


def taken(dataset, batches):
    return [
        batch["numbers"].numpy().ravel().tolist() for batch in itertools.islice(dataset, batches)
    ]


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
