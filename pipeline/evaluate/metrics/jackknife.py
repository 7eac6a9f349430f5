"""The delete-one-part jackknife: how far a metric may be off by chance, from sums that one pass over the examples makes.

Examples are divided into parts by their user: what one user does is alike, so that leaving out
single examples would make the noise look smaller than it is.
"""

from __future__ import annotations

import hashlib

import numpy as np

PARTS = 20


def part_of(key: bytes) -> int:
    """The part, below `PARTS`, of all examples with this key; the same for every model, worker and run."""
    return int.from_bytes(hashlib.blake2b(key, digest_size=8).digest(), "big") % PARTS


def whole_and_without_each(sums: np.ndarray, held: np.ndarray) -> np.ndarray:
    """The sums of all parts, then those that remain without each part.

    Args:
        sums: (PARTS, …).
        held: (PARTS,), whether a part has examples; P of them have.

    Returns:
        (1 + P, …).
    """
    whole = sums.sum(axis=0)
    return np.concatenate([whole[None], whole - sums[held]])


def standard_error(values: np.ndarray) -> float:
    """Of the first value, by the scatter of the others; NaN where there are fewer than two others or one is NaN.

    Args:
        values: (1 + P,): a metric of all parts, then without each part; or the difference of two
            models' metrics.
    """
    without = values[1:]
    if len(without) < 2:
        return float("nan")
    return float(
        np.sqrt((len(without) - 1) / len(without) * ((without - without.mean()) ** 2).sum())
    )
