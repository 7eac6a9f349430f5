"""Fulcrum's part. Arguments: batch size, steps, units of an expert, values a field, model."""

from __future__ import annotations

import sys

from benchmarks import ple_workload as ple
from benchmarks.fulcrum_model import features, ranker


def main(batch_size: int, steps: int, units: int, values: int, model_name: str) -> None:
    """Trains through Keras' `fit`, as `trainer.fit.fitting` does."""
    model = ranker(batch_size, values, units, model_name)

    import tensorflow as tf  # isort: skip  after the trainer chose the Keras dialect

    # Cut into batches beforehand, as DeepCTR's and torch-rechub's are cut out of arrays.
    data = {
        name: value.reshape([steps, batch_size, -1])
        for name, value in features(batch_size * steps, values).items()
    }
    options = tf.data.Options()
    options.autotune.enabled = False  # as in `trainer.inputs.dataset`
    dataset = tf.data.Dataset.from_tensor_slices(data).with_options(options)

    def train() -> int:
        model.fit(dataset, verbose=0)
        return batch_size * steps

    ple.measured(train).report()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:5]), sys.argv[5])
