"""Ingested examples as batches of serialized tf.Examples, without a Python step for each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np


def example_batches(files: Iterable[str], rows: int) -> Iterator[np.ndarray]:
    """Yield the serialized examples of TFRecord files, (B,) each.

    Args:
        files: TFRecord files, gzipped if their names end with `.gz`; they may be URIs.
        rows: B; the last batch of a file may be smaller.
    """
    import tensorflow as tf  # not sooner: a run imports its components before it needs them

    for file in files:
        records = tf.data.TFRecordDataset(
            file,
            compression_type="GZIP" if file.endswith(".gz") else "",
            buffer_size=1 << 20,
        )
        yield from records.batch(rows).as_numpy_iterator()
