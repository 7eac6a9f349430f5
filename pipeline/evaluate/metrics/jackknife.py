"""The delete-one-part jackknife: a metric's standard error from sums by part, in one pass.

Examples are divided into parts by their user: what one user does is alike, so that leaving out
single examples would make the noise look smaller than it is.
"""

from __future__ import annotations

import hashlib

import numpy as np
import pyarrow as pa

PARTS = 20


def part_of(key: bytes) -> int:
    """Return the part, in [0, `PARTS`), of all examples with a key; the same in every run."""
    return int.from_bytes(hashlib.blake2b(key, digest_size=8).digest(), "big") % PARTS


def parts_of(keys: pa.Array) -> np.ndarray:
    """Return the part of each key, bytes; (N,) as int64."""
    coded = keys.dictionary_encode()
    parts = np.array([part_of(key) for key in coded.dictionary.to_pylist()], np.int64)
    return parts[coded.indices.to_numpy()] if len(keys) else np.zeros(0, np.int64)


def whole_and_without_each(sums: np.ndarray, held: np.ndarray) -> np.ndarray:
    """Return the sums over all parts, then the sums without each part.

    Args:
        sums: sums by part; (PARTS, …).
        held: whether a part has examples, which P parts do; (PARTS,).

    Returns:
        (1 + P, …).
    """
    whole = sums.sum(axis=0)
    return np.concatenate([whole[None], whole - sums[held]])


def standard_error(values: np.ndarray) -> float:
    """Return the standard error of the first value from the scatter of the others.

    Args:
        values: a metric of all parts, then without each part, or the difference of two models'
            metrics; (1 + P,).

    Returns:
        NaN where P is below 2 or a value is NaN.
    """
    without = values[1:]
    if len(without) < 2:
        return float("nan")
    return float(
        np.sqrt((len(without) - 1) / len(without) * ((without - without.mean()) ** 2).sum())
    )
