"""The calibration in a graph: what NumPy gives, for any curves, slices and sides."""

from __future__ import annotations

import numpy as np
import pytest

tf = pytest.importorskip("tensorflow")
from feature_spec.artifacts.calibration import (  # noqa: E402
    CalibrationCurve,
    CalibrationReport,
    SliceShift,
    TaskCalibration,
)
from feature_spec.loading import parse_spec  # noqa: E402
from trainer.calibration.calibrators import Calibrators  # noqa: E402
from trainer.calibration.fitting import calibrated  # noqa: E402
from trainer.network.slice_field import slice_field  # noqa: E402

pytestmark = pytest.mark.tensorflow

SPEC = parse_spec("""
name: tiny
logs: {exposures: {path: a, format: jsonl}}
split: {evaluation_files: [a]}
fields:
  tags: {side: item, kind: multi_categorical, width: 4, max_length: 3}
  item: {side: item, kind: categorical, width: 4}
  user: {side: user, kind: categorical, width: 2}
tasks:
  click: {kind: binary, label: {rule: event, column: a}, metric: auc}
ranking_formula: {weights: {click: 1}}
""")


def task(name, curve=None, shifts=None):
    return TaskCalibration(
        task=name,
        method="platt",
        examples=1,
        positives=1.0,
        curve=curve,
        shifts=[
            SliceShift(row=row, value="", examples=1, positives=1.0, shift=shift)
            for row, shift in (shifts or {}).items()
        ],
    )


def calibrators(*tasks, field=None):
    return Calibrators(CalibrationReport(by="", shrinkage=1.0, tasks=list(tasks)), field)


def curve_of(knots, seed):
    random = np.random.default_rng(seed)
    logits = np.sort(random.normal(size=knots) * 3)
    values = np.cumsum(random.exponential(size=knots)) - knots / 2
    return CalibrationCurve(logits=list(logits), calibrated=list(values), slope=0.4)


@pytest.mark.parametrize("knots", [(1, 1), (1, 5), (64, 2, 7)])
def test_curves_of_several_tasks_are_those_of_numpy(knots):
    random = np.random.default_rng(0)
    curves = {f"t{count}_{place}": curve_of(count, place) for place, count in enumerate(knots)}
    logits = {name: random.normal(size=300).astype("f4") * 5 for name in curves}
    # At the knots, too.
    for name, curve in curves.items():
        logits[name][: len(curve.logits)] = curve.logits
    found = calibrators(*(task(name, curve) for name, curve in curves.items()))(
        {name: tf.constant(z) for name, z in logits.items()}, {}
    )
    for name, curve in curves.items():
        assert found[name].dtype == tf.float32
        expected = calibrated(curve, logits[name].astype(float))
        np.testing.assert_allclose(found[name], expected, rtol=1e-6, atol=1e-6)


def test_the_order_of_neighbouring_logits_stays_at_knots():
    curve = curve_of(30, 3)
    near = np.concatenate(
        [np.float32(z) + np.arange(-30, 30, dtype="f4") * np.spacing(np.float32(z)) for z in curve.logits]
    )  # fmt: skip
    ascending = np.sort(near)
    found = calibrators(task("click", curve))({"click": tf.constant(ascending)}, {})["click"]
    assert np.all(np.diff(found) >= 0.0)


def test_tasks_without_a_calibration_keep_their_logits():
    logits = {"click": tf.constant([1.0]), "watch": tf.constant([2.0])}
    assert calibrators(task("click"))(logits, {}) == logits
    found = calibrators(task("click", curve_of(1, 0)))(logits, {})
    assert found["watch"] is logits["watch"]


def test_a_logit_that_is_no_number_stays_none():
    curve = curve_of(5, 0)
    found = calibrators(task("click", curve))({"click": tf.constant([np.nan, np.inf, -np.inf])}, {})
    assert np.isnan(found["click"][0])
    assert found["click"].numpy()[1:].tolist() == [np.inf, -np.inf]


LINE = CalibrationCurve(logits=[0.0], calibrated=[0.0], slope=1.0)


def test_values_of_an_item_field_shift_candidates_and_unknown_values_do_not():
    place = slice_field(SPEC, "item")
    assert (place.side, place.slot.start) == ("candidate", 3)
    made = calibrators(
        task("click", LINE, {5: 0.5, 9: -1.0}), task("like", LINE, {7: 2.0}), field=place
    )
    ids = tf.constant([[1, 1, 1, row] for row in (5, 6, 7, 9, 10, 0)], tf.int64)
    zeros = tf.zeros(6)
    found = made({"click": zeros, "like": zeros}, {"candidate_ids": ids})
    assert found["click"].numpy().tolist() == [0.5, 0, 0, -1, 0, 0]
    assert found["like"].numpy().tolist() == [0, 0, 2, 0, 0, 0]


def test_a_value_of_the_request_shifts_all_its_candidates():
    made = calibrators(task("click", LINE, {5: 0.5, 9: -1.0}), field=slice_field(SPEC, "user"))
    features = {"request_ids": tf.constant([[9]], tf.int64)}
    found = made({"click": tf.constant([0.0, 1.0, 2.0])}, features)["click"]
    assert found.numpy().tolist() == [-1.0, 0.0, 1.0]
