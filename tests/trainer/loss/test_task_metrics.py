"""Metrics of the validation, against exact ones, with standard errors worked by hand."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

tf = pytest.importorskip("tensorflow")
from trainer.loss.task_metrics import LogitAUC, MeanError  # noqa: E402

pytestmark = pytest.mark.tensorflow


def measured(metric, labels, logits, weights=None, parts=1):
    columns = [np.asarray(labels, "f4"), np.asarray(logits, "f4"), np.ones(len(labels), "f4")]
    if weights is not None:
        columns[2] = np.asarray(weights, "f4")
    for label, logit, weight in zip(
        *(np.array_split(column, parts) for column in columns), strict=True
    ):
        metric.update_state(label[:, None], logit[:, None], sample_weight=weight)
    return float(metric.result())


@pytest.mark.parametrize("rate", [0.5, 0.01, 0.0005])
@pytest.mark.parametrize("spread", [0.05, 1.0, 4.0])
def test_the_auc_is_exact_for_rare_labels_and_close_logits(rate, spread):
    random = np.random.default_rng(0)
    logits = np.log(rate / (1 - rate)) + spread * random.normal(size=200_000)
    labels = random.random(200_000) < 1 / (1 + np.exp(-logits))
    expected = roc_auc_score(labels, logits)
    assert measured(LogitAUC(), labels, logits, parts=3) == pytest.approx(expected, abs=5e-4)


def test_a_tie_is_half_a_pair_in_order():
    # Pairs (positive, negative): (0, 0) tie, (0, −1) in order, (2, 0) and (2, −1) in order: 3.5 / 4.
    assert measured(LogitAUC(), [1, 0, 1, 0], [0.0, 0.0, 2.0, -1.0]) == 3.5 / 4


def test_rows_outside_the_sample_space_do_not_count():
    auc = measured(LogitAUC(), [1, 0, 0], [1.0, 0.0, 5.0], weights=[1, 1, 0])
    assert auc == 1.0


@pytest.mark.parametrize("labels", [[1, 1], [0, 0], []])
def test_without_both_labels_there_is_no_auc(labels):
    metric = LogitAUC()
    assert np.isnan(measured(metric, labels, [0.0] * len(labels)))
    assert float(metric.evidence()) == 0


def test_logits_beyond_the_last_bin_keep_their_place():
    assert measured(LogitAUC(), [1, 0, 0], [1e9, -1e9, 3.0]) == 1.0


def test_the_standard_error_of_an_auc_is_hanleys_and_mcneils():
    # A = .75 of 2 positives and 2 negatives; Q1 = .75/1.25 = .6, Q2 = 1.125/1.75 = .642857.
    # Variance = (.1875 + .0375 + .080357) / 4 = .0763393; its root is .276296.
    metric = LogitAUC()
    assert measured(metric, [1, 0, 1, 0], [3.0, 2.0, 1.0, 0.0]) == 0.75
    assert float(metric.standard_error()) == pytest.approx(0.276296, abs=1e-6)
    assert float(metric.evidence()) == 2


def test_a_squared_error_has_the_standard_error_of_a_mean():
    # Errors 1, 4 and 1: mean 2, variance 2, standard error √(2/3).
    metric = MeanError(binary=False, name="mse")
    assert measured(metric, [0, 0, 1, 9], [1, 2, 2, 0], weights=[1, 1, 1, 0], parts=2) == 2.0
    assert float(metric.standard_error()) == pytest.approx(np.sqrt(2 / 3))
    assert float(metric.evidence()) == 3


def test_a_log_loss_rests_on_the_rarer_label():
    # −log σ(0) = log 2 for each row.
    metric = MeanError(binary=True, name="log_loss")
    assert measured(metric, [1, 0, 0], [0.0, 0.0, 0.0]) == pytest.approx(np.log(2))
    assert float(metric.standard_error()) == pytest.approx(0.0, abs=1e-4)
    assert float(metric.evidence()) == 1


def test_a_reset_forgets_all_rows():
    metric = LogitAUC()
    measured(metric, [1, 0], [1.0, 0.0])
    metric.reset_state()
    assert np.isnan(float(metric.result()))


@pytest.mark.parametrize(
    "make",
    [LogitAUC, lambda: MeanError(binary=True, name="e"), lambda: MeanError(binary=False, name="e")],
)
@pytest.mark.parametrize("weight", [0.01, 100.0])
def test_rows_of_equal_weight_tell_as_much_whatever_the_weight_is(make, weight):
    random = np.random.default_rng(0)
    labels, logits = random.random(300) < 0.1, random.normal(size=300)
    alike, weighted = make(), make()
    measured(alike, labels, logits, parts=2)
    measured(weighted, labels, logits, weights=np.full(300, weight), parts=2)
    for of in ("result", "standard_error", "evidence"):
        expected = float(getattr(alike, of)())
        assert float(getattr(weighted, of)()) == pytest.approx(expected, rel=1e-5)


def test_rows_of_unequal_weight_tell_less_by_kishs_number():
    # Positives: weights 3 and 1, (3 + 1)² / (9 + 1) = 1.6. Negatives: 2 of weight 2, hence 2.
    labels, weights = [1, 1, 0, 0], [3, 1, 2, 2]
    for metric in (LogitAUC(), MeanError(binary=True, name="e")):
        measured(metric, labels, [0.5, 1.0, 0.0, -1.0], weights)
        assert float(metric.evidence()) == pytest.approx(1.6)
