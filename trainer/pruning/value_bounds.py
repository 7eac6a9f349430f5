"""Bounds over all values of a field, used to prune computations that no input can reach."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Weights = npt.NDArray[np.float32]
Array = npt.NDArray[np.float64]


def rounding(width: int) -> float:
    """Bound the relative rounding error of a float32 sum of `width` products.

    The bound also holds if the mean of a list was computed before.
    """
    return float(np.finfo(np.float32).eps) * (width + 1024)


class FieldEmbeddings(NamedTuple):
    """The embeddings that a field can have.

    Attributes:
        blocks: returns the embeddings (N, D) of all values, including missing and unknown ones,
            block by block; None for a plain number and for what attention pools from a history,
            which can have any value.
        is_list: whether the embedding is the mean of some of the rows, or 0.
    """

    blocks: Callable[[], Iterable[Weights]] | None
    is_list: bool = False

    def masked_by(self, query: Weights, bias: float = 0.0) -> bool:
        """Tell whether relu(tanh(query · e + bias)) is 0 for every embedding e of the field."""
        if self.blocks is None:
            return not query.any() and bias <= 0.0
        slack = rounding(len(query))
        # The score of a mean of rows is the mean of their scores.
        return all(
            bool(np.all(score + bias + slack * (size + abs(bias)) <= 0.0))
            for score, size in _products(self.blocks(), query[:, np.newaxis])
        )

    def most(
        self, kernel: Weights, query: Weights | None = None, bias: float = 0.0
    ) -> tuple[Array, Array]:
        """Bound how much the field can add to the units that it feeds.

        Args:
            kernel: (D, U).
            query: the query (D,) of the mask w that multiplies e; None if there is no mask.
            bias: the bias of the mask.

        Returns:
            An upper bound of w e · kernel, (U,), and an upper bound of the sum of the absolute
            values of its terms, (U,).
        """
        units = kernel.shape[1]
        if self.blocks is None and len(kernel) > 1:
            never = (kernel == 0.0).all(axis=0)
            if query is not None and not query.any() and bias <= 0.0:
                never[:] = True
            return np.where(never, 0.0, np.inf), np.zeros(units)
        if self.blocks is None:
            wide = kernel[0].astype(np.float64)
            if query is None:
                return np.where(wide == 0.0, 0.0, np.inf), np.zeros(units)
            slope = float(query[0])
            if slope == 0.0:
                return np.where((wide == 0.0) | (bias <= 0.0), 0.0, np.inf), np.zeros(units)
            # Against its query's sign a number adds as long as the mask is open: |e| < bias / |g|,
            # where the mask is below 1.
            against = np.abs(wide) * max(bias, 0.0) / abs(slope)
            return np.where(wide * slope > 0.0, np.inf, against), against
        scores = _products(self.blocks(), query[:, np.newaxis]) if query is not None else None
        added, sizes, highest_mask = (
            np.full(units, 0.0 if self.is_list else -np.inf),
            np.zeros(units),
            0.0,
        )
        for unmasked, size in _products(self.blocks(), kernel):
            products = unmasked
            if scores is not None:
                masks = np.tanh(np.maximum(next(scores)[0] + bias, 0.0))
                highest_mask = max(highest_mask, float(masks.max()))
                # The mask of a list is the mask of a mean, not a mean of masks: bound it alone.
                products = unmasked if self.is_list else masks * unmasked
            added, sizes = (
                np.maximum(added, products.max(axis=0)),
                np.maximum(sizes, size.max(axis=0)),
            )
        return (highest_mask * added if self.is_list and query is not None else added), sizes


class InputFields(NamedTuple):
    """The fields of the flattened input.

    Attributes:
        values: the embeddings that each field can have.
        widths: D of each field.
        of_request: the number of request fields, which come first.
        all_read: whether something besides the sharing architecture reads all fields.
    """

    values: Sequence[FieldEmbeddings]
    widths: Sequence[int]
    of_request: int
    all_read: bool = False

    @property
    def columns(self) -> list[slice]:
        """The columns of each field."""
        ends = itertools.accumulate(self.widths)
        return [slice(end - width, end) for end, width in zip(ends, self.widths, strict=True)]

    @property
    def always_read(self) -> set[int]:
        """Fields that stay in the input even if nothing reads them.

        These are plain numbers and pooled histories, which are not looked up as fields, and the
        first field of the candidate, which tells how many candidates there are; and all fields if
        something else reads them.
        """
        if self.all_read:
            return set(range(len(self.values)))
        return {
            self.of_request,
            *(field for field, value in enumerate(self.values) if value.blocks is None),
        }


def _products(blocks: Iterable[Weights], kernel: Weights) -> Iterator[tuple[Array, Array]]:
    """Yield rows · kernel and the sums of the absolute values of its terms, block by block."""
    wide = kernel.astype(np.float64)
    for block in blocks:
        rows = block.astype(np.float64)
        yield rows @ wide, np.abs(rows) @ np.abs(wide)


def units_that_fire(
    bias: Weights, most: list[tuple[Array, Array]], width: int
) -> npt.NDArray[np.intp]:
    """Return the units of relu(bias + Σ over fields) that may be above 0 for some input.

    Args:
        bias: (U,).
        most: the bounds of each field, see `FieldEmbeddings.most`.
        width: I, the number of terms of the sum.
    """
    highest = bias + sum((added for added, _ in most), np.zeros(len(bias)))
    sizes = np.abs(bias) + sum((size for _, size in most), np.zeros(len(bias)))
    return np.flatnonzero(~(highest + rounding(width) * sizes <= 0.0))
