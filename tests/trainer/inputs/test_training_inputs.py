"""What a training reads."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

tf = pytest.importorskip("tensorflow")
from trainer.inputs.training_inputs import TrainingInputs  # noqa: E402
from trainer.settings.train_config import TrainerSettings  # noqa: E402

pytestmark = pytest.mark.tensorflow


@pytest.fixture
def order(tmp_path):
    """The order of 100 examples in the first pass, in a process that has trained with a seed before."""
    file = str(tmp_path / "examples.gz")
    with tf.io.TFRecordWriter(file, "GZIP") as writer:
        for number in range(100):
            example = tf.train.Example()
            example.features.feature["number"].int64_list.value.append(number)
            writer.write(example.SerializeToString())
    features = {"number": tf.io.FixedLenFeature([], tf.int64)}
    inputs = TrainingInputs(
        job=SimpleNamespace(train_files=[file], validation_files=[file]), spec=None, vocabularies={}, layout=None,
        transform=SimpleNamespace(transformed_feature_spec=lambda: features),
    )  # fmt: skip

    def found(earlier_seed, **settings):
        tf.keras.utils.set_random_seed(earlier_seed)
        train, _ = inputs.batches(TrainerSettings(batch_size=10, **settings))
        return [int(number) for batch in train for number in batch["number"]]

    return found


def test_the_order_of_the_examples_does_not_depend_on_what_was_trained_before(order):
    assert order(1) == order(2)


def test_the_order_of_the_examples_follows_from_the_seed(order):
    assert order(1, seed=3) != order(1, seed=4)
    assert sorted(order(1, seed=3)) == list(range(100))
