"""Replay: what a formula's order of logged exposures would have brought, with intervals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from trainer.formula_search.groups import Integers
from trainer.formula_search.logged_exposures import Floats

Discount = Literal["log2", "none"]


@dataclass(frozen=True, kw_only=True)
class _Block:
    """Groups of similar size, padded to one shape, with P places each.

    Attributes:
        groups: (B,)
        log_factors: (B, P, F)
        gains: (B, P, O); 0 where padded.
        padded: (B, P)
    """

    groups: Integers
    log_factors: Floats
    gains: Floats
    padded: np.ndarray


class Replay:
    """Orders the exposures of each group by a formula and sums the gains of the first ones.

    A group's value of an objective is Σ_r gain_r · discount_r over the ranks r = 1 … top_k (PLE, Eq
    1 gives the order), where discount_r is 1 / log2(1 + r), or 1. Exposures that a formula cannot
    tell apart stay in the order that they are given in.

    Args:
        log_factors: (R, F).
        gains: (R, O).
        group: the group of each exposure, ascending from 0 to G − 1, (R,).
        top_k: the number of ranks that count.
        discount: `log2` or `none`.

    Attributes:
        total_gains: the gains of each objective, summed over all exposures.
    """

    def __init__(
        self, log_factors: Floats, gains: Floats, group: Integers, *, top_k: int, discount: Discount
    ) -> None:
        ranks = np.arange(1, top_k + 1)
        self._discounts = 1.0 / np.log2(1.0 + ranks) if discount == "log2" else np.ones(top_k)
        sizes = np.bincount(group)
        starts = np.cumsum(sizes) - sizes
        self._shape = (len(sizes), gains.shape[1])
        self.total_gains: list[float] = gains.sum(axis=0).tolist()
        # There are at most twice as many places as exposures, in as many blocks as the size of the
        # largest group has binary digits.
        widths = 1 << np.ceil(np.log2(sizes)).astype(np.int64)
        self._blocks = []
        for width in np.unique(widths):
            groups = np.flatnonzero(widths == width)
            places = np.arange(width)
            padded = places >= sizes[groups, np.newaxis]
            rows = np.where(padded, 0, starts[groups, np.newaxis] + places)
            block_gains = np.where(padded[..., np.newaxis], 0.0, gains[rows])
            self._blocks.append(
                _Block(
                    groups=groups, log_factors=log_factors[rows], gains=block_gains, padded=padded
                )
            )

    def values(self, weights: Floats) -> Floats:
        """Compute the value of each objective in each group: weights (F,) → (G, O)."""
        result = np.empty(self._shape)
        for block in self._blocks:
            scores = np.where(block.padded, -np.inf, block.log_factors @ weights)
            order = np.argsort(-scores, axis=1, kind="stable")[:, : len(self._discounts)]
            first = np.take_along_axis(block.gains, order[..., np.newaxis], axis=1)
            result[block.groups] = np.einsum("bko,k->bo", first, self._discounts[: order.shape[1]])
        return result


_RESAMPLES = 1000
CONFIDENCE = 0.95


def difference_intervals(differences: Floats, unit: Integers, seed: int) -> Floats:
    """Compute percentile intervals of mean differences over groups, by bootstrap.

    There are 1,000 draws, which all columns share.

    Args:
        differences: the differences of each group, (G, D).
        unit: the unit of each group, from 0 to U − 1, (G,). Units are drawn with replacement, with
            all their groups.
        seed: the seed of the draws.

    Returns:
        Lower and upper ends at 95 % confidence, (2, D).
    """
    units = int(unit.max()) + 1
    sums = np.zeros((units, differences.shape[1]))
    np.add.at(sums, unit, differences)
    sizes = np.bincount(unit)
    random = np.random.default_rng(seed)
    means = np.empty((_RESAMPLES, differences.shape[1]))
    for draw in range(_RESAMPLES):
        times = np.bincount(random.integers(0, units, units), minlength=units)
        means[draw] = times @ sums / (times @ sizes)
    tail = (1.0 - CONFIDENCE) / 2.0
    return np.quantile(means, [tail, 1.0 - tail], axis=0)
