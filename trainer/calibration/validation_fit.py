"""The calibrations of a network, fitted to the validation examples."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import tensorflow as tf
from scipy.special import expit

from feature_spec import names
from feature_spec.artifacts.calibration import (
    Agreement,
    CalibrationCurve,
    CalibrationReport,
    ScoreBucket,
    SliceShift,
    TaskCalibration,
)
from feature_spec.spec import FeatureSpec
from feature_spec.tasks.calibration import Calibration, CalibrationMethod
from feature_spec.tasks.evidence import too_few
from trainer.calibration.calibrators import Calibrators
from trainer.calibration.fitting import Floats, Rows, calibrated, isotonic, platt, shifts
from trainer.calibration.slice_names import slice_names
from trainer.inputs.examples import Examples
from trainer.network.network import AssembledNetwork
from trainer.network.slice_field import SliceField, slice_field
from trainer.network.vocabulary import Vocabulary

logger = logging.getLogger("fulcrum.trainer")

_FIT: dict[CalibrationMethod, Callable[[Rows], CalibrationCurve]] = {
    "platt": platt,
    "isotonic": isotonic,
}
_BATCH_SIZE = 4096
_BUCKETS = 10


class Fitted(NamedTuple):
    """Calibrations as they were fitted, and as a graph applies them."""

    report: CalibrationReport
    calibrators: Calibrators


def fit_calibration(
    spec: FeatureSpec,
    network: AssembledNetwork,
    validation: Examples,
    vocabularies: Mapping[str, Vocabulary],
) -> Fitted | None:
    """Fit the calibrations that a spec asks for, to the validation examples.

    Args:
        spec: the feature spec.
        network: a network of some of the spec's tasks, in the form in which it is served.
        validation: transformed examples with a column of labels and masks for each of the
            network's tasks.
        vocabularies: the vocabularies that Transform found, by file name.

    Returns:
        None if the spec asks for no calibration of these tasks.
    """
    settings, kinds = spec.calibration, network.layout.tasks
    methods = {
        task: method
        for task, method in (settings.of_tasks(kinds) if settings is not None else {}).items()
        if task in kinds
    }
    if settings is None or not methods:
        return None
    field = slice_field(spec, settings.by) if settings.by is not None else None
    logits, rows_of_field = _logits(network, validation, list(methods), field)
    texts = slice_names(spec, field.slot, vocabularies) if field is not None else {}
    tasks = [
        _task_calibration(
            task,
            method,
            settings,
            _Judged(
                logits=logits[task] + math.log(rate),
                labels=np.asarray(validation.columns[names.LABELS][:, column], np.float64),
                masks=np.asarray(validation.columns[names.MASKS][:, column], np.float64),
                rate=rate,
                slices=rows_of_field,
            ),
            texts,
        )
        for task, method in methods.items()
        for column, rate in [(list(kinds).index(task), spec.negative_rates().get(task, 1.0))]
    ]
    for task in tasks:
        logger.info("calibration of %s", _told(task))
    report = CalibrationReport(by=settings.by or "", shrinkage=settings.shrinkage, tasks=tasks)
    return Fitted(report, Calibrators(report, field))


class _Judged(NamedTuple):
    """A task's validation examples: logits after the undoing of sampling, labels and slices."""

    logits: Floats
    labels: Floats
    masks: Floats
    rate: float
    slices: npt.NDArray[np.int64] | None


def _logits(
    network: AssembledNetwork, validation: Examples, tasks: list[str], field: SliceField | None
) -> tuple[dict[str, Floats], npt.NDArray[np.int64] | None]:
    """Return the network's logits of all examples by task, (N,), and the rows of a field."""

    @tf.function(autograph=False, reduce_retracing=True)
    def scored(batch: Mapping[str, tf.Tensor]) -> tuple[list[tf.Tensor], tf.Tensor | None]:
        logits = network(batch, training=False)
        rows = tf.cast(field.rows(batch), tf.int64) if field is not None else None
        return [logits[task] for task in tasks], rows

    found = [scored(batch) for batch in validation.in_order(_BATCH_SIZE)]
    logits = {
        task: np.concatenate([of_tasks[place].numpy() for of_tasks, _ in found]).astype(np.float64)
        for place, task in enumerate(tasks)
    }
    rows = np.concatenate([rows.numpy() for _, rows in found]) if field is not None else None
    return logits, rows


def _task_calibration(
    task: str,
    method: CalibrationMethod,
    settings: Calibration,
    judged: _Judged,
    texts: Mapping[int, str],
) -> TaskCalibration:
    inside = judged.masks > 0.0
    masks, y = judged.masks[inside], judged.labels[inside]
    # As many rows as the weights are worth (Kish), so that evidence counts in rows.
    counts = masks * masks.sum() / np.square(masks).sum() if len(masks) else masks
    positives, negatives = float(counts @ y), float(counts @ (1.0 - y))
    few = too_few(round(positives + negatives), round(positives))
    known = TaskCalibration(
        task=task, method=method, examples=len(y), positives=float(y.sum()), not_fitted=few
    )
    if few:
        return known
    rows = Rows(
        logits=judged.logits[inside],
        labels=y,
        # A negative stands for those that sampling dropped.
        weights=counts / np.where(y == 0.0, judged.rate, 1.0),
        rarer=min(positives, negatives),
    )
    of_rows = judged.slices[inside] if judged.slices is not None else None
    curve, of_slices = _fit(rows, of_rows, method, settings.shrinkage)
    places = np.zeros(0, np.int64)
    if of_rows is not None:
        places = np.searchsorted(list(of_slices), of_rows)
    return known.model_copy(
        update={
            "curve": curve,
            "shifts": [
                SliceShift(
                    row=row,
                    value=texts.get(row, "other"),
                    examples=examples,
                    positives=positive,
                    shift=shift,
                )
                for (row, shift), examples, positive in zip(
                    of_slices.items(),
                    np.bincount(places).tolist(),
                    np.bincount(places, y).tolist() if of_slices else [],
                    strict=True,
                )
            ],
            "before": _agreement(rows, rows.logits),
            "after": _agreement(rows, _crossed(rows, of_rows, method, settings.shrinkage)),
        }
    )


def _fit(
    rows: Rows,
    slices: npt.NDArray[np.int64] | None,
    method: CalibrationMethod,
    shrinkage: float,
) -> tuple[CalibrationCurve, dict[int, float]]:
    """Return a curve, and the shift of each slice that has rows."""
    curve = _FIT[method](rows)
    if slices is None:
        return curve, {}
    values, places = np.unique(slices, return_inverse=True)
    found = shifts(rows, calibrated(curve, rows.logits), places, shrinkage=shrinkage)
    return curve, dict(zip(values.tolist(), found.tolist(), strict=True))


def _crossed(
    rows: Rows,
    slices: npt.NDArray[np.int64] | None,
    method: CalibrationMethod,
    shrinkage: float,
) -> Floats:
    """Return logits that are calibrated by what the other half of the rows fits, (N,)."""
    result = np.empty(len(rows.logits))
    half = np.arange(len(rows.logits)) % 2
    for own in (0, 1):
        here, there = half == own, half != own
        curve, of_slices = _fit(
            Rows(rows.logits[there], rows.labels[there], rows.weights[there], rows.rarer / 2.0),
            slices[there] if slices is not None else None,
            method,
            shrinkage,
        )
        result[here] = calibrated(curve, rows.logits[here])
        if slices is not None:
            result[here] += [of_slices.get(row, 0.0) for row in slices[here].tolist()]
    return result


def _agreement(rows: Rows, logits: Floats) -> Agreement:
    y, w, scores = rows.labels, rows.weights, expit(logits)
    losses = y * np.logaddexp(0.0, -logits) + (1.0 - y) * np.logaddexp(0.0, logits)
    order = np.argsort(scores, kind="stable")
    shares = (np.cumsum(w[order]) - w[order] / 2.0) / w.sum()
    bucket = np.empty(len(y), np.int64)
    bucket[order] = np.minimum((shares * _BUCKETS).astype(np.int64), _BUCKETS - 1)
    parts = [bucket == place for place in range(_BUCKETS)]
    return Agreement(
        predicted_over_observed=float(w @ scores / (w @ y)),
        log_loss=float(w @ losses / w.sum()),
        buckets=[
            ScoreBucket(
                examples=float(w[part].sum()),
                mean_score=float(w[part] @ scores[part] / w[part].sum()),
                mean_label=float(w[part] @ y[part] / w[part].sum()),
            )
            for part in parts
            if part.any()
        ],
    )


def _told(task: TaskCalibration) -> str:
    if task.before is None or task.after is None:
        return f"{task.task}: none, {task.not_fitted}"
    ratios = (f"{part.predicted_over_observed:.3f}" for part in (task.before, task.after))
    return f"{task.task}: predicted over observed {' → '.join(ratios)}, {task.method}"
