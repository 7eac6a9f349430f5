"""Calibrations of a network from its validation examples: sampling, weights, slices, evidence."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

tf = pytest.importorskip("tensorflow")
from scipy.special import expit  # noqa: E402

from feature_spec.loading import parse_spec  # noqa: E402
from trainer.calibration.validation_fit import fit_calibration  # noqa: E402
from trainer.inputs.examples import Examples  # noqa: E402
from trainer.network.vocabulary import Vocabulary  # noqa: E402

pytestmark = pytest.mark.tensorflow

SPEC = """
name: tiny
logs: {exposures: {path: a, format: jsonl}}
split: {evaluation_files: [a]}
fields:
  tab: {side: context, kind: categorical, width: 2}
  z: {side: item, kind: numeric}
tasks:
  click: {kind: binary, label: {rule: event, column: a}, metric: auc}
  watch: {kind: regression, label: {rule: column, column: c}, metric: mse}
ranking_formula: {weights: {click: 1}}
"""
# Rows: missing, other, then the entries.
VOCABULARIES = {"vocabulary_2": Vocabulary.of_entries([b"tab\x1ffeed", b"tab\x1fsearch"])}
FEED, SEARCH = 2, 3


class Network:
    """Its logit of click is z, the number of a candidate."""

    layout = SimpleNamespace(tasks={"click": "binary", "watch": "regression"})

    def __call__(self, features, training=None):
        del training
        z = features["candidate_numbers"][:, 0]
        return {"click": z, "watch": z}


def examples(z, y, masks=None, tabs=None):
    zeros = np.zeros(len(z), "f4")
    masks = np.ones(len(z)) if masks is None else masks
    return Examples(
        {
            "candidate_numbers": np.asarray(z, "f4")[:, np.newaxis],
            "request_ids": (np.full(len(z), FEED) if tabs is None else tabs)[:, np.newaxis],
            "labels": np.stack([y, zeros], axis=1).astype("f4"),
            "masks": np.stack([masks, zeros], axis=1).astype("f4"),
        }
    )


def fitted(data, section="calibration: {method: platt}\n", network=None):
    found = fit_calibration(parse_spec(SPEC + section), network or Network(), data, VOCABULARIES)
    return found.report.tasks[0], found.calibrators


def drawn(count=20_000, shift=-1.0, seed=0):
    random = np.random.default_rng(seed)
    z = random.normal(size=count)
    return z, (random.random(count) < expit(z + shift)).astype(float), random


def scores(calibrators, z, rate=1.0, tabs=None):
    features = {"request_ids": (np.full(len(z), FEED) if tabs is None else tabs)[:, np.newaxis]}
    logits = {"click": tf.constant(z + np.log(rate), tf.float32), "watch": tf.constant(z)}
    return expit(calibrators(logits, features)["click"].numpy().astype(float))


def test_a_spec_without_a_method_asks_for_none():
    data = examples(*drawn(100)[:2])
    for section in ("", "calibration: {within: [0.9, 1.1]}\n"):
        assert fit_calibration(parse_spec(SPEC + section), Network(), data, {}) is None


def test_only_binary_tasks_are_calibrated_and_before_and_after_are_told():
    z, y, _ = drawn()
    task, calibrators = fitted(examples(z, y))
    assert (task.task, task.not_fitted, task.examples) == ("click", "", 20_000)
    assert task.positives == y.sum()
    assert task.before.predicted_over_observed == pytest.approx(expit(z).sum() / y.sum(), rel=1e-5)
    assert task.after.predicted_over_observed == pytest.approx(1.0, abs=0.03)
    assert task.after.log_loss < task.before.log_loss
    assert sum(bucket.examples for bucket in task.after.buckets) == pytest.approx(20_000)
    assert scores(calibrators, z).sum() == pytest.approx(y.sum(), rel=1e-4)


def test_what_is_told_after_is_of_rows_that_fitted_nothing():
    """Scores that say nothing: knots fit the noise of their own rows, and no other's."""
    z, y, random = drawn(2000)
    random.shuffle(y)
    task, calibrators = fitted(examples(z, y), "calibration: {method: isotonic}\n")
    p = scores(calibrators, z)
    own = -np.mean(y * np.log(p) + (1 - y) * np.log1p(-p))
    rate = y.mean()
    base = -(rate * np.log(rate) + (1 - rate) * np.log1p(-rate))
    assert own < task.after.log_loss
    assert base < task.after.log_loss


def test_scores_of_sampled_negatives_are_calibrated_to_the_whole_log():
    z, y, random = drawn(200_000, shift=-3.0)
    kept = (y == 1.0) | (random.random(len(z)) < 0.1)
    # A model of the sampled examples says ln 10 more; and this one is wrong by another 0.7.
    logits = z[kept] - 3.0 + np.log(10.0) + 0.7
    section = "sampling: {negative_rate: 0.1}\ncalibration: {method: platt}\n"
    task, calibrators = fitted(examples(logits, y[kept]), section)
    whole = scores(calibrators, z - 3.0 + np.log(10.0) + 0.7, rate=0.1)
    assert whole.sum() / y.sum() == pytest.approx(1.0, abs=0.02)
    assert task.before.predicted_over_observed == pytest.approx(
        expit(z - 2.3).sum() / y.sum(), rel=0.02
    )


def test_rows_count_by_their_weights_and_a_common_factor_changes_nothing():
    z, y, random = drawn(3000)
    weights = random.choice([1.0, 4.0], len(z))
    one, other = (fitted(examples(z, y, masks))[0] for masks in (weights, weights * 3.0))
    assert one.curve.calibrated == pytest.approx(other.curve.calibrated)
    assert one.curve.slope == pytest.approx(other.curve.slope)
    repeated = np.repeat(np.arange(len(z)), weights.astype(int))
    thrice, _ = fitted(examples(z[repeated], y[repeated]))
    # Platt's targets know how many rows there are.
    assert one.curve.slope == pytest.approx(thrice.curve.slope, abs=0.01)


def test_rows_outside_the_sample_space_are_not_read():
    z, y, random = drawn(3000)
    masks = (random.random(len(z)) < 0.5).astype(float)
    strange = np.where(masks > 0.0, y, np.nan)
    alone, _ = fitted(examples(z[masks > 0], y[masks > 0]))
    assert fitted(examples(z, strange, masks))[0].curve == alone.curve


@pytest.mark.parametrize(
    ("positives", "told"), [(0, "too few to tell (no positives)"), (9, "too few to tell (9 positives)")]
)  # fmt: skip
def test_too_few_positives_leave_the_scores_as_they_are(positives, told):
    z, y, _ = drawn(500)
    y[:] = 0.0
    y[:positives] = 1.0
    task, calibrators = fitted(examples(z, y))
    assert (task.not_fitted, task.curve, task.after) == (told, None, None)
    assert scores(calibrators, z) == pytest.approx(expit(z), rel=1e-6)


@pytest.mark.parametrize("method", ["platt", "isotonic"])
def test_slices_that_differ_are_calibrated_each(method):
    z, y, random = drawn(40_000)
    tabs = random.choice([FEED, SEARCH], len(z))
    y = (random.random(len(z)) < expit(z + np.where(tabs == FEED, -1.0, 0.2))).astype(float)
    section = f"calibration: {{method: {method}, by: tab}}\n"
    task, calibrators = fitted(examples(z, y, tabs=tabs), section)
    assert [shift.value for shift in task.shifts] == ["feed", "search"]
    assert [shift.examples for shift in task.shifts] == [(tabs == FEED).sum(), (tabs == SEARCH).sum()]  # fmt: skip
    p = scores(calibrators, z, tabs=tabs)
    for tab in (FEED, SEARCH):
        assert p[tabs == tab].sum() == pytest.approx(y[tabs == tab].sum(), rel=0.005)
    # Rows 0 and 1 are a missing value and all others: they have no examples and no shift.
    assert {shift.row for shift in task.shifts} == {FEED, SEARCH}


def test_a_slice_of_few_rows_stays_near_the_whole():
    z, y, _ = drawn(20_000)
    tabs = np.full(len(z), FEED)
    tabs[:20], y[:20] = SEARCH, 1.0
    task, _ = fitted(examples(z, y, tabs=tabs), "calibration: {method: platt, by: tab}\n")
    feed, search = task.shifts
    assert abs(feed.shift) < 0.01
    assert 0.2 < search.shift < 20 / 25
    strong, _ = fitted(
        examples(z, y, tabs=tabs), "calibration: {method: platt, by: tab, shrinkage: 2000}\n"
    )
    assert 0.0 < strong.shifts[1].shift < 0.01


def test_the_order_within_a_slice_stays_and_so_does_the_auc():
    from sklearn.metrics import roc_auc_score

    z, y, _ = drawn(5000)
    z = np.asarray(z, "f4").astype(float)
    for method in ("platt", "isotonic"):
        _, calibrators = fitted(examples(z, y), f"calibration: {{method: {method}}}\n")
        assert roc_auc_score(y, scores(calibrators, z)) == pytest.approx(roc_auc_score(y, z), abs=1e-9)  # fmt: skip
