"""Examples in memory as batches."""

from __future__ import annotations

import tensorflow as tf

from benchmarks.papers.workload import Examples
from feature_spec import names

_PREFETCHED_BATCHES = 4


def batches(
    examples: Examples, batch_size: int, shuffle_seed: int | None = None
) -> tf.data.Dataset:
    """Batches as `trainer.inputs.dataset.transformed_batches` gives them, without parsing.

    Args:
        examples: transformed examples.
        batch_size: B.
        shuffle_seed: draws the order, anew each epoch, and leaves out the last rows that do not
            fill a batch. None keeps all rows in their order.
    """
    columns = {name: tf.constant(values) for name, values in examples.items()}
    rows = len(examples[names.LABELS])
    order = tf.data.Dataset.range(rows)
    if shuffle_seed is not None:
        order = order.shuffle(rows, seed=shuffle_seed)
    places = order.batch(batch_size, drop_remainder=shuffle_seed is not None)
    dataset = places.map(
        lambda rows: {name: tf.gather(values, rows) for name, values in columns.items()}
    )
    options = tf.data.Options()
    options.autotune.enabled = False
    return dataset.prefetch(_PREFETCHED_BATCHES).with_options(options)
