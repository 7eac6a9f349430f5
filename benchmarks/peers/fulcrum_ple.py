"""A model of Fulcrum, trained on batches in memory.

Arguments: batch size, steps, units of an expert, values of a field, name of the model.
"""

from __future__ import annotations

import sys

from benchmarks import ple_workload as ple
from benchmarks.fulcrum_model import features, ranker


def main(batch_size: int, steps: int, units: int, values: int, model_name: str) -> None:
    """Train through Keras' `fit`, as `trainer.fit.fitting` does, and report the figures."""
    model = ranker(batch_size, values, units, model_name)

    import tensorflow as tf  # isort: skip  after the trainer chose the Keras dialect

    # Batches are cut beforehand, as DeepCTR and torch-rechub cut theirs out of arrays.
    data = {
        name: value.reshape([steps, batch_size, -1])
        for name, value in features(batch_size * steps, values).items()
    }
    options = tf.data.Options()
    options.autotune.enabled = False  # as in `trainer.inputs.training_inputs`
    dataset = tf.data.Dataset.from_tensor_slices(data).with_options(options)

    def train() -> int:
        model.fit(dataset, verbose=0)
        return batch_size * steps

    ple.measured(train).report()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:5]), sys.argv[5])
