"""What is known of all values that a field can take, so that an export can leave out what none of them reaches."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Weights = npt.NDArray[np.float32]
Array = npt.NDArray[np.float64]

# Rows that are looked at together: enough for fast products, few enough for memory.
_ROWS = 1 << 14


def rounding(width: int) -> float:
    """A bound of the relative error of a float32 sum of `width` products, or of the mean of a list and then that."""
    return float(np.finfo(np.float32).eps) * (width + 1024)


class FieldValues(NamedTuple):
    """The embeddings that a field's values can have.

    Attributes:
        rows: (N, D), those of all its values, of missing and unknown ones too; None for a plain
            number, which can be anything.
        is_list: whether its embedding is the mean of some of the rows, or 0.
    """

    rows: Weights | None
    is_list: bool = False

    def masked_by(self, query: Weights) -> bool:
        """Whether relu(tanh(query · e)) is 0 for every embedding e of the field; a mean of rows scores a mean of scores."""
        if self.rows is None:
            return not query.any()
        slack = rounding(len(query))
        return all(
            bool(np.all(score + slack * size <= 0.0))
            for score, size in _products(self.rows, query[:, np.newaxis])
        )

    def most(self, kernel: Weights, query: Weights | None = None) -> tuple[Array, Array]:
        """The most that the field can add to units that it feeds.

        Args:
            kernel: (D, U).
            query: (D,), of the mask that multiplies e; None where there is no mask.

        Returns:
            No w e · kernel is larger than the first, (U,); the sum of its terms' sizes is never
            larger than the second, (U,).
        """
        units = kernel.shape[1]
        if self.rows is None:
            # A mask is above 0 only where a number has its query's sign.
            falls = (
                kernel[0] == 0.0
                if query is None
                else kernel[0].astype(np.float64) * query[0] <= 0.0
            )
            return np.where(falls, 0.0, np.inf), np.zeros(units)
        scores = _products(self.rows, query[:, np.newaxis]) if query is not None else None
        added, sizes, highest_mask = (
            np.full(units, 0.0 if self.is_list else -np.inf),
            np.zeros(units),
            0.0,
        )
        for unmasked, size in _products(self.rows, kernel):
            products = unmasked
            if scores is not None:
                masks = np.tanh(np.maximum(next(scores)[0], 0.0))
                highest_mask = max(highest_mask, float(masks.max()))
                # A list's mask is that of the mean, and no mean of masks: it is bounded on its own.
                products = unmasked if self.is_list else masks * unmasked
            added, sizes = (
                np.maximum(added, products.max(axis=0)),
                np.maximum(sizes, size.max(axis=0)),
            )
        return (highest_mask * added if self.is_list and query is not None else added), sizes


class InputFields(NamedTuple):
    """The fields of the flattened input.

    Attributes:
        values: of each.
        widths: D of each.
        of_request: how many of them are the request's, which come first.
    """

    values: Sequence[FieldValues]
    widths: Sequence[int]
    of_request: int

    @property
    def columns(self) -> list[slice]:
        """Those of each field."""
        ends = itertools.accumulate(self.widths)
        return [slice(end - width, end) for end, width in zip(ends, self.widths, strict=True)]

    @property
    def always_read(self) -> set[int]:
        """Fields that stay in the input even if nothing reads them.

        Plain numbers, which are not looked up, and the first field of the candidate, which tells
        how many candidates there are.
        """
        return {
            self.of_request,
            *(field for field, value in enumerate(self.values) if value.rows is None),
        }


def _products(rows: Weights, kernel: Weights) -> Iterator[tuple[Array, Array]]:
    """Rows · kernel and the sums of the sizes of their terms, each (≤ _ROWS, U), until all rows have been."""
    wide = kernel.astype(np.float64)
    for first in range(0, len(rows), _ROWS):
        some = rows[first : first + _ROWS].astype(np.float64)
        yield some @ wide, np.abs(some) @ np.abs(wide)


def units_that_fire(
    bias: Weights, most: list[tuple[Array, Array]], width: int
) -> npt.NDArray[np.intp]:
    """The units of relu(bias + Σ over fields) that are above 0 for some input, or cannot be shown not to be.

    Args:
        bias: (U,).
        most: what each field can add, see `FieldValues.most`.
        width: I, the terms of the sum.
    """
    highest = bias + sum((added for added, _ in most), np.zeros(len(bias)))
    sizes = np.abs(bias) + sum((size for _, size in most), np.zeros(len(bias)))
    return np.flatnonzero(~(highest + rounding(width) * sizes <= 0.0))
