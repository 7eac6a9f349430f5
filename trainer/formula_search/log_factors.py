"""The ranking formula over many exposures at once: the log ranking score is log factors times weights."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from feature_spec.formula import SCORE_FLOOR, RankingFormula, transformed_duration

Floats = npt.NDArray[np.float64]


def log_factors(
    formula: RankingFormula, scores: Mapping[str, npt.ArrayLike], durations: npt.ArrayLike | None
) -> Floats:
    """Log max(score_k, ε) of each task and, if the formula has a duration, log max(f(duration / scale), ε).

    They do not depend on the weights: log ranking score = log factors · weights, as in
    `feature_spec.formula`.

    Args:
        formula: gives f and its scale.
        scores: by task, (N,).
        durations: raw, (N,), NaN where missing; None where the formula has none.

    Returns:
        (N, K) or (N, K + 1), in the order of `feature_spec.formula.weights_in_force`;
        0 for a missing duration.
    """
    columns = [np.asarray(values, np.float64) for values in scores.values()]
    factor = formula.duration
    if factor is not None:
        known = np.asarray(durations, np.float64).tolist()
        # A factor of 1 for a missing duration leaves the score as it is.
        columns.append(
            np.array(
                [
                    1.0 if math.isnan(value) else transformed_duration(factor, value)
                    for value in known
                ]
            )
        )
    return np.log(np.maximum(np.stack(columns, axis=1), SCORE_FLOOR))
