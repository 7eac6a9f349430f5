"""Transformed examples as batches."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf

# Examples held in memory to be drawn from at random: many enough to mix the days of a log, few
# enough to fit.
_SHUFFLE_EXAMPLES = 200_000
_PREFETCHED_BATCHES = 8


def transformed_batches(
    patterns: Sequence[str],
    features: Mapping[str, tf.io.FixedLenFeature],
    batch_size: int,
    *,
    shuffle_seed: int | None = None,
) -> tf.data.Dataset:
    """Reads gzipped TFRecords of transformed examples.

    Args:
        patterns: globs of the files.
        features: what each example holds; few, because Transform packs them.
        batch_size: B.
        shuffle_seed: draws the order of the examples, anew each epoch, and leaves out the last ones
            that do not fill a batch, so that all batches of a training run have one shape. None
            keeps all examples in the order of the files.

    Returns:
        Batches: dict of (B, ·) tensors. Their number is known, for which the files are read once.
    """
    parallel_calls = os.cpu_count() or 1
    files = tf.data.Dataset.list_files(list(patterns), shuffle=False)
    dataset = files.interleave(
        lambda file: tf.data.TFRecordDataset(file, compression_type="GZIP", buffer_size=8 << 20),
        cycle_length=4,
        num_parallel_calls=parallel_calls,
        deterministic=True,
    )
    examples = int(dataset.reduce(np.int64(0), lambda count, _: count + 1))
    dataset = dataset.apply(tf.data.experimental.assert_cardinality(examples))
    if shuffle_seed is not None:
        dataset = dataset.shuffle(_SHUFFLE_EXAMPLES, seed=shuffle_seed)
    dataset = dataset.batch(batch_size, drop_remainder=shuffle_seed is not None)
    dataset = dataset.map(
        lambda examples: tf.io.parse_example(examples, dict(features)),
        num_parallel_calls=parallel_calls,
    )
    options = tf.data.Options()
    # The thread of tf.data's autotuner holds up the end of each pass by up to a second.
    options.autotune.enabled = False
    return dataset.prefetch(_PREFETCHED_BATCHES).with_options(options)
