"""Fulcrum's PLE, trained from files of examples, with the time that steps wait for them.

Arguments: batch size, steps, units of an expert, values of a field.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from benchmarks import ple_workload as ple
from benchmarks.fulcrum_model import features, ranker
from benchmarks.worker import peak_memory_bytes


def main(batch_size: int, steps: int, units: int, values: int) -> None:
    """Train step by step, because Keras' `fit` does not measure how long it waits."""
    model = ranker(batch_size, values, units, "ple")

    import tensorflow as tf  # isort: skip  after the trainer chose the Keras dialect

    from trainer.inputs.training_inputs import transformed_batches

    with tempfile.TemporaryDirectory() as folder:
        data = features(batch_size * steps, values)
        write(Path(folder) / "examples.gz", data)
        parsing = {
            name: tf.io.FixedLenFeature(
                [value.shape[1]], tf.int64 if value.dtype.kind == "i" else tf.float32
            )
            for name, value in data.items()
        }
        batches = transformed_batches([f"{folder}/*.gz"], parsing, batch_size, shuffle_seed=0)
        step = tf.function(model.train_step)
        waited_s = 0.0

        def train() -> int:
            nonlocal waited_s
            iterator = iter(batches)
            result = step(next(iterator))  # filling the shuffle buffer is no part of a step
            waited_s, count = 0.0, 0
            while True:
                float(result["loss"])  # the step is over
                began = time.perf_counter()
                batch = next(iterator, None)
                waited_s += time.perf_counter() - began
                if batch is None:
                    return count * batch_size
                result = step(batch)
                count += 1

        train()
        began = time.perf_counter()
        count = train()
        elapsed_s = time.perf_counter() - began
    ple.Measured(
        rows_per_s=count / elapsed_s,
        peak_memory_bytes=peak_memory_bytes(),
        input_wait_rate=waited_s / elapsed_s,
    ).report()


def write(file: Path, data: dict) -> None:
    """Write examples as Transform does."""
    import tensorflow as tf

    with tf.io.TFRecordWriter(str(file), "GZIP") as writer:
        for row in range(len(data["labels"])):
            example = tf.train.Example()
            for name, value in data.items():
                feature = example.features.feature[name]
                (
                    feature.int64_list if value.dtype.kind == "i" else feature.float_list
                ).value.extend(value[row].tolist())
            writer.write(example.SerializeToString())


if __name__ == "__main__":
    main(*map(int, sys.argv[1:5]))
