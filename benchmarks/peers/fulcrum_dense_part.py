"""The dense part of Fulcrum's PLE alone, forwards and backwards from the looked-up embeddings.

Arguments: batch size, steps, units of an expert, values of a field.
"""

from __future__ import annotations

import sys

from benchmarks import ple_workload as ple
from benchmarks.fulcrum_model import features, ranker


def main(batch_size: int, steps: int, units: int, values: int) -> None:
    """Run the program that XLA compiled, as a training step does, and report its figures."""
    model = ranker(batch_size, values, units, "ple")

    import tensorflow as tf  # isort: skip  after the trainer chose the Keras dialect

    batch = {name: tf.constant(value) for name, value in features(batch_size, values).items()}
    lookups = model.network.look_up(batch)
    sizes = tf.reduce_sum(batch["masks"], axis=0)

    @tf.function
    def run() -> tf.Tensor:
        return model.dense_gradients(lookups, batch, sizes, model.clock)[2][0][0][0, 0, 0]

    def train() -> int:
        for _ in range(steps):
            result = run()
        float(result)
        return batch_size * steps

    ple.measured(train).report()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:5]))
