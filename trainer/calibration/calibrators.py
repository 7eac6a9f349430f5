"""The calibration in the graph of an export: a few operations for all tasks together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from feature_spec.artifacts.calibration import CalibrationReport, TaskCalibration
from trainer.network.slice_field import SliceField


class Calibrators:
    """Turns logits into calibrated logits.

    Args:
        report: the calibrations, as they were fitted.
        field: the place of the field whose values have shifts; None if there are no shifts.
    """

    def __init__(self, report: CalibrationReport, field: SliceField | None) -> None:
        fitted = [task for task in report.tasks if task.curve is not None]
        self._tasks = [task.task for task in fitted]
        self._field = field
        self._curves = _curves(fitted)
        self._shifts = _shifts(fitted) if field is not None else None

    def __call__(
        self, logits: Mapping[str, tf.Tensor], features: Mapping[str, tf.Tensor]
    ) -> dict[str, tf.Tensor]:
        """Calibrate logits, after the undoing of the sampling.

        Args:
            logits: logits by task, (B,).
            features: transformed features of the same examples, or of one request and B candidates.
        """
        if not self._tasks:
            return dict(logits)
        # In float64, so that rounding at a knot does not change an order.
        z = tf.cast(tf.stack([logits[task] for task in self._tasks]), tf.float64)
        result = self._curves(z)
        if self._field is not None and self._shifts is not None:
            result += self._shifts(self._field.rows(features))
        parts = tf.unstack(tf.cast(result, tf.float32), num=len(self._tasks))
        return {**logits, **dict(zip(self._tasks, parts, strict=True))}


class _Curves(NamedTuple):
    """Curves of K tasks in arrays: M knots and M + 1 segments, shorter curves repeat their last.

    Attributes:
        knots: the knots; infinite where a curve has fewer, (K, M).
        starts: the logit from which a segment is measured, (K, M + 1).
        values: the calibrated logit there, (K, M + 1).
        slopes: the slope of a segment, (K, M + 1).
    """

    knots: np.ndarray
    starts: np.ndarray
    values: np.ndarray
    slopes: np.ndarray

    def __call__(self, z: tf.Tensor) -> tf.Tensor:
        """Return calibrated logits: float64 (K, B) → (K, B)."""
        if self.knots.shape[1] == 1:
            # A line: the slope is the same on both sides of the knot.
            return self.values[:, :1] + self.slopes[:, :1] * (z - self.starts[:, :1])
        segments = tf.searchsorted(self.knots, z, side="right")
        starts, values, slopes = (
            tf.gather(tf.constant(of_segments), segments, batch_dims=1)
            for of_segments in (self.starts, self.values, self.slopes)
        )
        return values + slopes * (z - starts)


class _Shifts(NamedTuple):
    """The shifts of S values of a field in K tasks.

    Attributes:
        rows: the values' rows in their table, ascending, int64 (S,).
        shifts: the shifts, and 0 for all other values, (K, S + 1).
    """

    rows: np.ndarray
    shifts: np.ndarray

    def __call__(self, rows: tf.Tensor) -> tf.Tensor:
        """Return the shifts of examples: int64 (B,) → float64 (K, B)."""
        known = tf.constant(self.rows)
        places = tf.minimum(tf.searchsorted(known, rows), len(self.rows) - 1)
        places = tf.where(tf.gather(known, places) == rows, places, len(self.rows))
        return tf.gather(tf.constant(self.shifts), places, axis=1)


def _curves(fitted: Sequence[TaskCalibration]) -> _Curves:
    curves = [task.curve for task in fitted if task.curve is not None]
    most = max((len(curve.logits) for curve in curves), default=1)
    knots = np.full((len(curves), most), np.inf)
    starts, values, slopes = (np.zeros((len(curves), most + 1)) for _ in range(3))
    for place, curve in enumerate(curves):
        count = len(curve.logits)
        knots[place, :count] = curve.logits
        for of_segments, own in (
            (starts, [curve.logits[0], *curve.logits]),
            (values, [curve.calibrated[0], *curve.calibrated]),
            (slopes, curve.slopes),
        ):
            of_segments[place] = own[-1]
            of_segments[place, : count + 1] = own
    return _Curves(knots, starts, values, slopes)


def _shifts(fitted: Sequence[TaskCalibration]) -> _Shifts | None:
    rows = sorted({shift.row for task in fitted for shift in task.shifts})
    if not rows:
        return None
    places = {row: place for place, row in enumerate(rows)}
    shifts = np.zeros((len(fitted), len(rows) + 1))
    for number, task in enumerate(fitted):
        for shift in task.shifts:
            shifts[number, places[shift.row]] = shift.shift
    return _Shifts(np.array(rows, np.int64), shifts)
