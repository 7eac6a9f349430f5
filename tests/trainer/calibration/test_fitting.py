"""Calibrations by hand, by a second implementation, and what holds for all of them."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq, minimize
from scipy.special import expit, logit

from feature_spec.artifacts.calibration import CalibrationCurve
from trainer.calibration.fitting import Rows, calibrated, isotonic, platt, shifts


def rows_of(logits, labels, weights=None):
    z, y = np.asarray(logits, float), np.asarray(labels, float)
    w = np.ones(len(z)) if weights is None else np.asarray(weights, float)
    return Rows(z, y, w, min(float(y.sum()), float((1 - y).sum())))


def drawn(count=4000, slope=0.6, shift=-1.5, seed=0, bend=0.0):
    """Logits z, and labels of probability σ(slope · z + shift + bend · sin 2z)."""
    random = np.random.default_rng(seed)
    z = random.normal(size=count) * 2.0
    y = random.random(count) < expit(slope * z + shift + bend * np.sin(2 * z))
    return z, y.astype(float)


def test_a_curve_is_straight_between_its_knots_and_goes_on_beyond_them():
    curve = CalibrationCurve(logits=[0.0, 2.0], calibrated=[-1.0, 3.0], slope=0.5)
    # Below 0: −1 + .5 · (−2); at 1: −1 + 2 · 1; above 2: 3 + .5 · 4.
    assert calibrated(curve, np.array([-2.0, 0.0, 1.0, 2.0, 6.0])).tolist() == [-2, -1, 1, 3, 5]


def test_platt_of_two_logits_takes_each_to_the_logit_of_its_share_of_positives():
    # At z = −1 there is 1 positive of 4, at z = 1 there are 3 of 4: by symmetry b = 0. Platt's
    # targets are 5/6 and 1/6, so the share at z = 1 is (3 · 5/6 + 1/6) / 4 = 2/3, and a = ln 2.
    curve = platt(rows_of([-1.0] * 4 + [1.0] * 4, [1, 0, 0, 0, 1, 1, 1, 0]))
    assert calibrated(curve, np.array([-1.0, 1.0])) == pytest.approx([-math.log(2), math.log(2)])


def test_platt_is_the_maximum_of_the_likelihood_of_its_targets():
    z, y = drawn()
    w = np.random.default_rng(1).choice([0.5, 2.0], len(z))
    positives, negatives = w @ y, w @ (1 - y)
    t = np.where(y == 1, (positives + 1) / (positives + 2), 1 / (negatives + 2))

    def loss(line):
        u = line[0] * z + line[1]
        return w @ (t * np.logaddexp(0, -u) + (1 - t) * np.logaddexp(0, u)) / w.sum()

    a, b = minimize(loss, [1.0, 0.0], method="BFGS", options={"gtol": 1e-9}).x
    curve = platt(rows_of(z, y, w))
    assert curve.slope == pytest.approx(a, abs=1e-5)
    assert calibrated(curve, np.array([0.0]))[0] == pytest.approx(b, abs=1e-5)
    # These logits were drawn with a slope of .6 and a shift of −1.5.
    assert (a, b) == pytest.approx((0.6, -1.5), abs=0.1)


def test_platt_agrees_with_scikit_learns_own():
    from sklearn.calibration import _SigmoidCalibration

    z, y = drawn(800)
    theirs = _SigmoidCalibration().fit(z, y)
    ours = expit(calibrated(platt(rows_of(z, y)), z))
    assert ours == pytest.approx(theirs.predict(z), abs=1e-4)


def test_labels_that_a_score_tells_apart_leave_a_finite_line():
    curve = platt(rows_of(np.arange(-20.0, 20.0), np.arange(-20.0, 20.0) >= 0))
    assert 0.0 < curve.slope < 50.0


@pytest.mark.parametrize("method", [platt, isotonic])
def test_scores_worse_than_chance_keep_their_order(method):
    z, y = drawn(slope=-0.8)
    curve = method(rows_of(z, y))
    ascending = calibrated(curve, np.sort(z))
    assert np.all(np.diff(ascending) > 0.0)


@pytest.mark.parametrize("method", [platt, isotonic])
def test_logits_that_are_all_alike_become_the_base_rate(method):
    y = np.arange(100) < 20
    curve = method(rows_of(np.full(100, 3.0), y))
    # Platt's targets: (20 · 21/22 + 80 · 1/82) / 100.
    expected = 0.2 if method is isotonic else (20 * 21 / 22 + 80 / 82) / 100
    assert expit(calibrated(curve, np.array([3.0]))) == pytest.approx([expected])
    assert curve.slope == 1.0


def pooled(values, weights):
    """The pool-adjacent-violators algorithm, as it is described."""
    pools = []
    for value, weight in zip(values, weights, strict=True):
        pools.append([value, weight, 1])
        while len(pools) > 1 and pools[-2][0] >= pools[-1][0]:
            last, before = pools.pop(), pools.pop()
            mass = last[1] + before[1]
            mean = (last[0] * last[1] + before[0] * before[1]) / mass
            pools.append([mean, mass, last[2] + before[2]])
    return np.concatenate([[value] * count for value, _, count in pools])


def test_isotonic_knots_are_the_pooled_rates_of_bins_of_equal_information():
    z, y = drawn(9000, bend=0.9)
    rows = rows_of(z, y, np.random.default_rng(2).choice([1.0, 3.0], len(z)))
    curve = isotonic(rows)
    line = platt(rows)
    p = expit(line.slope * (z - line.logits[0]) + line.calibrated[0])
    information = rows.weights * p * (1 - p)
    order = np.argsort(z)
    ends = np.cumsum(information[order])
    bins = ((ends - information[order] / 2) / ends[-1] * 64).astype(int)
    z, y, w, information = z[order], y[order], rows.weights[order], information[order]
    masses = [w[bins == k].sum() for k in range(64)]
    levels = pooled([w[bins == k] @ y[bins == k] / masses[k] for k in range(64)], masses)
    knots = np.array([np.average(z[bins == k], weights=information[bins == k]) for k in range(64)])
    values = 0.95 * logit(levels) + 0.05 * (
        line.slope * (knots - line.logits[0]) + line.calibrated[0]
    )
    shift = brentq(
        lambda b: w @ (y - expit(calibrated(curve_of(knots, values + b, line.slope), z))), -1, 1
    )
    assert curve.logits == pytest.approx(knots)
    assert curve.calibrated == pytest.approx(values + shift)


def curve_of(knots, values, slope):
    return CalibrationCurve(logits=list(knots), calibrated=list(values), slope=slope)


def test_isotonic_follows_a_bend_that_a_line_cannot():
    z, y = drawn(40_000, bend=0.5, slope=1.2)
    rows = rows_of(z, y)
    truth = expit(1.2 * z - 1.5 + 0.5 * np.sin(2 * z))
    errors = {
        method: np.abs(expit(calibrated(method(rows), z)) - truth).mean()
        for method in (platt, isotonic)
    }
    assert errors[isotonic] < 0.5 * errors[platt]


def test_a_rare_task_has_fewer_knots_and_none_of_them_is_infinite():
    z, y = drawn(20_000, shift=-6.0)
    assert 100 < y.sum() < 250
    curve = isotonic(rows_of(z, y))
    assert len(curve.logits) <= y.sum() // 25
    assert np.isfinite(curve.calibrated).all()


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    count=st.integers(25, 600),
    slope=st.floats(-1.0, 2.0),
    shift=st.floats(-3.0, 3.0),
    digits=st.sampled_from([0, 1, 15]),
    method=st.sampled_from([platt, isotonic]),
)
def test_every_curve_rises_and_leaves_predicted_over_observed_at_1(
    seed, count, slope, shift, digits, method
):
    z, y = drawn(count, slope, shift, seed)
    z = np.round(z, digits)
    y[:2] = 0.0, 1.0
    rows = rows_of(z, y, np.random.default_rng(seed).choice([1.0, 10.0], count))
    curve = method(rows)
    values = np.unique(z)
    assert np.all(np.diff(calibrated(curve, values)) > 0.0)
    predicted, observed = rows.weights @ expit(calibrated(curve, z)), rows.weights @ y
    # Platt's targets move the sum by less than one row of each label.
    assert abs(predicted - observed) < (1.0 if method is platt else 1e-6 * observed)


def test_a_shift_is_observed_minus_predicted_over_kappa():
    # Ten rows of p = .5, of which 8 are positive: 8 − 10 · σ(β) = 10 · β.
    rows = rows_of(np.zeros(10), [1] * 8 + [0] * 2)
    (shift,) = shifts(rows, rows.logits, shrinkage=10.0)
    assert 8 - 10 * expit(shift) == pytest.approx(10 * shift)
    assert 0.0 < shift < logit(0.8)


def test_slices_with_more_rows_are_drawn_less_to_the_whole():
    # The logits say one half, and three quarters are positive in each of these slices.
    counts = [4, 40, 400, 40_000]
    slices = np.repeat(np.arange(4), counts)
    labels = np.concatenate([np.arange(count) % 4 > 0 for count in counts])
    found = shifts(
        rows_of(np.zeros(len(slices)), labels), np.zeros(len(slices)), slices, shrinkage=25.0
    )
    assert np.all(np.diff(found) > 0.0)
    # (observed − predicted) / (Σ p (1 − p) + κ) = (3 − 2) / (1 + 25) to first order.
    assert found[0] == pytest.approx(1 / 26, rel=0.01)
    assert found[3] == pytest.approx(math.log(3), rel=0.01)


def test_without_shrinkage_a_shift_makes_predicted_and_observed_equal():
    z, y = drawn(3000)
    slices = np.random.default_rng(3).integers(0, 5, len(z))
    rows = rows_of(z, y)
    found = shifts(rows, z, slices)
    for place in range(5):
        own = slices == place
        assert expit(z[own] + found[place]).sum() == pytest.approx(y[own].sum())
