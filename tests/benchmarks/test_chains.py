"""Chains beside the truth: measures by hand, and impressions whose rates are what they say."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from benchmarks.chains.measures import divergence, expected_auc, measured
from benchmarks.chains.simulated import simulate
from feature_spec import names


@pytest.fixture(scope="module")
def impressions():
    return simulate(rows=20_000, seed=0, conversion="share", moods=True).impressions


def test_the_expected_auc_is_that_of_all_pairs_by_their_probability():
    # Rates ½ and 1, in order: the second is a positive; the first is a negative half of the time.
    # Σ positives = 1½ and Σ negatives = ½. Of the first, the pair with itself is a tie: ½ · ½ · ½.
    assert expected_auc(np.array([0.5, 1.0]), np.array([0.1, 0.2])) == (0.5 + 0.125) / (1.5 * 0.5)
    assert expected_auc(np.array([0.0, 1.0]), np.array([0.1, 0.2])) == 1.0
    assert expected_auc(np.array([0.3, 0.6]), np.array([0.1, 0.1])) == pytest.approx(0.5)


def test_a_divergence_is_0_at_the_truth_alone():
    assert divergence(np.array([0.5, 0.2]), np.array([0.5, 0.2])) == 0.0
    # ½ log(½ / ¼) + ½ log(½ / ¾).
    expected = 0.5 * math.log(2) + 0.5 * math.log(2 / 3)
    assert divergence(np.array([0.5]), np.array([0.25])) == pytest.approx(expected)


def test_the_truth_has_no_bias_and_half_of_it_has_one_of_a_half(impressions):
    truth = {"click": impressions.click, "conversion": impressions.conversion}
    of_truth = measured(impressions, truth)
    halved = measured(impressions, truth | {"conversion": impressions.conversion / 2})
    for part in ("all", "clicked", "unclicked", "joint"):
        assert of_truth[f"{part} bias"] == pytest.approx(0.0)
        assert of_truth[f"{part} kl"] == pytest.approx(0.0, abs=1e-9)
        assert halved[f"{part} bias"] == pytest.approx(-0.5)
        assert halved[f"{part} auc"] == pytest.approx(of_truth[f"{part} auc"])
    assert halved["tilt"] == pytest.approx(0.0)
    unclicked = impressions.clicked == 0
    tilted = np.where(unclicked, 1.2, 0.8) * impressions.conversion
    assert measured(impressions, truth | {"conversion": tilted})["tilt"] == pytest.approx(0.5)


def test_what_happened_was_drawn_at_the_true_rates(impressions):
    for happened, rate in (("clicked", "click"), ("converted", "conversion")):
        drawn, true = getattr(impressions, happened), getattr(impressions, rate)
        # Within four standard errors.
        error = np.sqrt((true * (1.0 - true)).sum()) / len(true)
        assert abs(drawn.mean() - true.mean()) < 4 * error
    chosen = impressions.clicked == 1
    assert impressions.conversion[chosen].mean() > 1.1 * impressions.conversion[~chosen].mean()


def test_a_log_tells_conversions_of_the_clicked_and_the_oracle_all(impressions):
    logged, told = impressions.examples(), impressions.examples(everyone=True)
    assert np.array_equal(logged[names.MASKS][:, 1], impressions.clicked)
    assert told[names.MASKS].all()
    assert np.array_equal(told[names.LABELS][:, 1], impressions.converted)


def test_without_moods_the_fields_tell_the_mean_over_moods(impressions):
    hidden = simulate(rows=20_000, seed=0, conversion="share", moods=False).impressions
    assert hidden.numbers.shape[1] == impressions.numbers.shape[1] - 2
    for field in dataclasses.fields(hidden):
        if field.name not in ("ids", "numbers", "best_click", "best_conversion"):
            same = getattr(hidden, field.name), getattr(impressions, field.name)
            assert np.array_equal(*same)
    joint = (hidden.click * hidden.conversion).mean()
    assert (hidden.best_click * hidden.best_conversion).mean() == pytest.approx(joint, rel=0.05)
    # Who clicks is more often in the mood to share, too: no field says so of the others.
    assert hidden.best_conversion.mean() > 1.02 * hidden.conversion.mean()
    assert np.array_equal(impressions.best_conversion, impressions.conversion)
