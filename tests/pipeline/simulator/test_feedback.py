"""Simulated feedback follows its documented probabilities."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.simulator.feedback import (
    Context,
    Inclinations,
    Propensities,
    draw_feedback,
    propensities,
    scores_without_history,
    true_scores,
)

COUNT = 200_000


def _context(clickable: bool, count: int) -> Context:
    return Context(
        clickable=np.full(count, clickable),
        wifi=np.full(count, False),
        evening=np.full(count, False),
    )


def _propensities(count: int, click: float = 0.25, median: float = 0.5) -> Propensities:
    return Propensities(
        click=np.full(count, click),
        median_watch_ratio=np.full(count, median),
        share=np.full(count, 0.1),
        comment=np.full(count, 0.2),
    )


def test_a_valid_view_in_auto_play_has_the_worked_probability() -> None:
    # 20 s long, median ratio 0.5: P(ratio > 5/20) = 1 / (1 + (0.25/0.5)²) = 0.8
    scores = true_scores(_propensities(1), np.array([20.0]), _context(False, 1))
    assert scores["vtr"][0] == pytest.approx(0.8)


def test_a_valid_view_after_a_click_is_the_product_of_click_and_view() -> None:
    scores = true_scores(_propensities(1), np.array([20.0]), _context(True, 1))
    assert scores["vtr"][0] == pytest.approx(0.25 * 0.8)


def test_completion_has_the_worked_expectation() -> None:
    # a · arctan(1/a) at a = 1 is π/4
    scores = true_scores(_propensities(1, median=1.0), np.array([20.0]), _context(False, 1))
    assert scores["vcr"][0] == pytest.approx(np.pi / 4)


def test_a_longer_video_gains_valid_views_and_loses_completion() -> None:
    # The watch ratio falls with the square root of the duration: 10 s and 0.6, 40 s and 0.3.
    durations, medians = np.array([10.0, 40.0]), np.array([0.6, 0.3])
    true = Propensities(
        click=np.zeros(2), median_watch_ratio=medians, share=np.zeros(2), comment=np.zeros(2)
    )
    scores = true_scores(true, durations, _context(False, 2))
    assert scores["vtr"][1] > scores["vtr"][0]
    assert scores["vcr"][1] < scores["vcr"][0]


@pytest.mark.parametrize("clickable", [False, True])
def test_the_drawn_rates_equal_the_true_scores(clickable: bool) -> None:
    true, duration_s, context = (
        _propensities(COUNT),
        np.full(COUNT, 20.0),
        _context(clickable, COUNT),
    )
    drawn = draw_feedback(true, duration_s, context, np.random.default_rng(0))
    scores = true_scores(true, duration_s, context)
    played = drawn.played == 1
    # Four standard deviations of a rate over at least 50,000 draws: 4 · 0.5 / √50,000 < 0.01
    assert (drawn.play_s >= 5).mean() == pytest.approx(scores["vtr"][0], abs=0.01)
    assert np.minimum(drawn.play_s / duration_s, 1).mean() == pytest.approx(
        scores["vcr"][0], abs=0.01
    )
    assert drawn.shared[played].mean() == pytest.approx(scores["shr"][0], abs=0.01)
    assert drawn.commented[played].mean() == pytest.approx(scores["cmr"][0], abs=0.01)
    assert drawn.clicked.mean() == pytest.approx(scores["ctr"][0] if clickable else 0.0, abs=0.01)


def test_nothing_is_watched_shared_or_commented_without_a_play() -> None:
    drawn = draw_feedback(
        _propensities(COUNT), np.full(COUNT, 20.0), _context(True, COUNT), np.random.default_rng(0)
    )
    idle = drawn.played == 0
    assert idle.any()
    assert not drawn.play_s[idle].any()
    assert not drawn.shared[idle].any()
    assert not drawn.commented[idle].any()


def test_a_click_is_what_starts_a_play_in_the_click_scenario() -> None:
    drawn = draw_feedback(
        _propensities(COUNT), np.full(COUNT, 20.0), _context(True, COUNT), np.random.default_rng(0)
    )
    np.testing.assert_array_equal(drawn.played, drawn.clicked)


@pytest.mark.parametrize("clickable", [False, True])
def test_the_scores_without_history_are_the_mean_over_moods_and_trends(clickable: bool) -> None:
    fixed = Inclinations(*(np.full(1, value) for value in (-1.0, -0.5, -3.0, -2.0, 1.5)))
    known = scores_without_history(fixed, np.array([20.0]), _context(clickable, 1))
    draw = np.random.default_rng(0)
    true = propensities(fixed, 1.5 * draw.normal(size=COUNT), draw.normal(size=COUNT))
    drawn = true_scores(true, np.full(COUNT, 20.0), _context(clickable, COUNT))
    # Four standard deviations of a mean of 200,000 shares: 4 · 0.5 / √200,000 < 0.005
    assert {task: score.mean() for task, score in drawn.items()} == pytest.approx(
        {task: score[0] for task, score in known.items()}, abs=0.005
    )


def test_a_matching_mood_and_a_trend_raise_all_feedback() -> None:
    fixed = Inclinations(*(np.zeros(3) for _ in range(5)))
    true = propensities(fixed, np.array([0.0, 1.0, 0.0]), np.array([0.0, 0.0, 1.0]))
    for value in (true.click, true.median_watch_ratio, true.share, true.comment):
        assert value[1] > value[0]
        assert value[2] > value[0]
    # σ(0) = 1/2, σ(1) = 0.731
    assert true.click[:2].tolist() == pytest.approx([0.5, 0.731], abs=0.001)
