"""Intervals of mean differences between two formulas, by drawing users again."""

from __future__ import annotations

import numpy as np

from trainer.formula_search.groups import Integers
from trainer.formula_search.log_factors import Floats

_RESAMPLES = 1000
CONFIDENCE = 0.95


def difference_intervals(differences: Floats, unit: Integers, seed: int) -> Floats:
    """Percentile intervals of mean differences over groups; all columns share the draws, of which there are 1,000.

    Args:
        differences: of each group, (G, D).
        unit: of each group, from 0 to U − 1: what is drawn with replacement, with all its groups,
            (G,).
        seed: of the draws.

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
