"""Calibrations of one task as NumPy arrays: a line, knots, and shifts of slices.

z is the logit after the undoing of the sampling, y the label, w the weight, N the number of rows.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.optimize import isotonic_regression, minimize
from scipy.special import expit, logit

from feature_spec.artifacts.calibration import CalibrationCurve

Floats = npt.NDArray[np.float64]

# A flatter line would tie scores that float32 tells apart.
SMALLEST_SLOPE = 0.05
MOST_KNOTS = 64
# Fewer make a knot's value noise: 25 tell a rate to one fifth.
EVIDENCE_PER_KNOT = 25
# The part of the line in isotonic knots, which keeps scores apart where a level is flat.
LINE_SHARE = 0.05
_LARGEST_STEP, _STEPS = 1.0, 200


class Rows(NamedTuple):
    """The examples that a task is calibrated on.

    Attributes:
        logits: z, (N,).
        labels: y, from 0 to 1, (N,).
        weights: w, above 0, (N,); a kept negative stands for those that sampling dropped.
        rarer: Σy or Σ(1 − y) of the rows that are there, whichever is smaller.
    """

    logits: Floats
    labels: Floats
    weights: Floats
    rarer: float


def calibrated(curve: CalibrationCurve, logits: Floats) -> Floats:
    """Return the calibrated logits of a curve, (N,)."""
    knots, values = np.asarray(curve.logits), np.asarray(curve.calibrated)
    segments = np.searchsorted(knots, logits, side="right")
    starts = np.maximum(segments - 1, 0)
    rises: Floats = np.asarray(curve.slopes)[segments] * (logits - knots[starts])
    return values[starts] + rises


def platt(rows: Rows) -> CalibrationCurve:
    """Fit the line a·z + b of Platt scaling by maximum likelihood, with a above 0.

    The targets are Platt's: (N₊ + 1) / (N₊ + 2) for a positive and 1 / (N₋ + 2) for a negative,
    where N₊ and N₋ are sums of weights, so that the line is finite even where all positives score
    above all negatives. Platt, "Probabilistic Outputs for Support Vector Machines", 1999.
    """
    z, y, w = rows.logits, rows.labels, rows.weights
    positives = float(w @ y)
    negatives = float(w.sum()) - positives
    low = 1.0 / (negatives + 2.0)
    targets = low + y * ((positives + 1.0) / (positives + 2.0) - low)
    center, spread = float(z.mean()), float(z.std())
    slope = 1.0
    # Logits that are all alike tell no slope.
    if spread > 1e-6 * max(1.0, abs(center)):
        scaled = (z - center) / spread

        def loss(line: Floats) -> tuple[float, Floats]:
            u = line[0] * scaled + line[1]
            left = w * (expit(u) - targets) / w.sum()
            value = w @ (np.logaddexp(0.0, u) - targets * u) / w.sum()
            return float(value), np.array([left @ scaled, left.sum()])

        fitted = minimize(loss, [spread, center], jac=True, method="BFGS", options={"gtol": 1e-9})
        slope, intercept = float(fitted.x[0]) / spread, float(fitted.x[1])
        if slope >= SMALLEST_SLOPE:
            return CalibrationCurve(logits=[center], calibrated=[intercept], slope=slope)
        slope = SMALLEST_SLOPE
    shift = shifts(rows._replace(labels=targets), slope * (z - center))[0]
    return CalibrationCurve(logits=[center], calibrated=[float(shift)], slope=slope)


def isotonic(rows: Rows) -> CalibrationCurve:
    """Fit up to 64 knots by isotonic regression, with Platt's line beyond them.

    Rows lie in bins of equal Σ w·p·(1 − p) by z, where p is what Platt's line gives: of a rare
    task, in bins of about as many positives. A knot is a bin's mean z and the logit of its level by
    isotonic regression, of which one part in 20 is Platt's line, so that the curve rises where a
    level is flat and no scores become equal. A shift then makes Σ w·p = Σ w·y.
    """
    line = platt(rows)
    z, y, w = rows.logits, rows.labels, rows.weights
    _, of_value = np.unique(z, return_inverse=True)
    likely = expit(calibrated(line, z))
    information = np.maximum(w * likely * (1.0 - likely), 1e-300)
    ends = np.cumsum(np.bincount(of_value, information))
    centers = (ends - np.diff(ends, prepend=0.0) / 2.0) / ends[-1]
    count = int(np.clip(rows.rarer // EVIDENCE_PER_KNOT, 1, MOST_KNOTS))
    # Rows of one z stay together, so that some bins may be empty.
    _, bins = np.unique(np.minimum((centers * count).astype(int), count - 1), return_inverse=True)
    bins = bins[of_value]
    weights = np.bincount(bins, w)
    knots = np.bincount(bins, information * z) / np.bincount(bins, information)
    levels = isotonic_regression(np.bincount(bins, w * y) / weights, weights=weights).x
    # A level of 0 or 1 has no logit: it counts one half of a row of the other label.
    never, always = levels <= 0.0, levels >= 1.0
    levels = np.where(never, 0.5 / max(1.0, weights[never].sum()), levels)
    levels = np.where(always, 1.0 - 0.5 / max(1.0, weights[always].sum()), levels)
    on_line = calibrated(line, knots)
    mixed = (1.0 - LINE_SHARE) * logit(levels) + LINE_SHARE * on_line
    # Rounding may leave neighbours equal; those are one knot.
    apart = np.flatnonzero((np.diff(knots, prepend=-np.inf) > 0.0) & _rising(mixed))
    curve = CalibrationCurve(
        logits=knots[apart].tolist(), calibrated=mixed[apart].tolist(), slope=line.slope
    )
    shift = float(shifts(rows, calibrated(curve, z))[0])
    return curve.model_copy(update={"calibrated": [value + shift for value in curve.calibrated]})


def shifts(
    rows: Rows,
    logits: Floats,
    slices: npt.NDArray[np.int64] | None = None,
    *,
    shrinkage: float = 0.0,
) -> Floats:
    """Fit what is added to the logits of each slice, (S,).

    The shift β of a slice solves Σ w·(y − σ(logit + β)) = κ·β over its rows: the maximum of their
    likelihood times a normal prior of variance 1 / κ around 0. Near 0 it is (observed − predicted)
    / (Σ w·p·(1 − p) + κ), so that a slice with κ positives of a rare task gets one half of what its
    own rows say.

    Args:
        rows: the rows, of which `logits` are not read.
        logits: the logits that are shifted, (N,).
        slices: the slice of each row, from 0 to S − 1, (N,). None: all rows are one slice.
        shrinkage: κ, at least 0.
    """
    of_row = np.zeros(len(logits), np.int64) if slices is None else slices
    count = int(of_row.max(initial=-1)) + 1
    result = np.zeros(count)
    # Newton's steps, none so long that it leaves the range in which they converge.
    for _ in range(_STEPS):
        likely = expit(logits + result[of_row])
        left = np.bincount(of_row, rows.weights * (rows.labels - likely), count)
        curvature = np.bincount(of_row, rows.weights * likely * (1.0 - likely), count)
        step = (left - shrinkage * result) / np.maximum(curvature + shrinkage, 1e-300)
        step = np.clip(step, -_LARGEST_STEP, _LARGEST_STEP)
        result += step
        if np.abs(step).max(initial=0.0) < 1e-12:
            break
    return result


def _rising(values: Floats) -> npt.NDArray[np.bool_]:
    """Return where a value is above all before it, (M,)."""
    highest = np.maximum.accumulate(values)
    rising: npt.NDArray[np.bool_] = np.diff(highest, prepend=-np.inf) > 0.0
    return rising
