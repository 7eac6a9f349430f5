"""The feedback of users: true probabilities, and draws from them (docs/simulator.md, section 4)."""

from __future__ import annotations

import dataclasses

import numpy as np

from pipeline.simulator.population import Users, Videos

VALID_VIEW_S = 5.0
MAX_WATCH_RATIO = 3.0

# An interest may raise clicks and lower the watch ratio (the third and fourth factor), or matter to
# one kind of feedback only.
_CLICK = np.array([1.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0])
_WATCH = np.array([0.0, 0.0, -0.8, -0.8, 1.0, 1.0, 0.0, 0.0])
_SHARE = np.array([0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 0.0])
_COMMENT = np.array([0.8, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0])

# What a matching mood and a trend of 1 add to log-odds or to the logarithm of the watch ratio.
_OF_MOOD = {"click": 1.0, "watch": 0.5, "share": 0.5, "comment": 0.5}
_OF_TREND = {"click": 0.4, "watch": 0.2, "share": 0.3, "comment": 0.3}
_NODES, _NODE_WEIGHTS = np.polynomial.hermite_e.hermegauss(5)
_NODE_WEIGHTS /= _NODE_WEIGHTS.sum()


@dataclasses.dataclass(frozen=True)
class Context:
    """The circumstances of N exposures.

    Attributes:
        clickable: whether a click starts the play (the scenario `click`), (N,) of bool. Elsewhere
            videos play by themselves.
        wifi: whether the network is wifi, (N,) of bool.
        evening: whether the hour is between 19 and 23, (N,) of bool.
    """

    clickable: np.ndarray
    wifi: np.ndarray
    evening: np.ndarray


@dataclasses.dataclass(frozen=True)
class Inclinations:
    """What the feedback to N exposures depends on and stays the same from day to day, each (N,).

    Attributes:
        click, share, comment: log-odds.
        log_watch_ratio: logarithm of the median watch ratio.
        susceptibility: standard deviation of how well the video matches a mood.
    """

    click: np.ndarray
    log_watch_ratio: np.ndarray
    share: np.ndarray
    comment: np.ndarray
    susceptibility: np.ndarray


@dataclasses.dataclass(frozen=True)
class Propensities:
    """The true parameters of the feedback to N exposures, each (N,).

    Attributes:
        click: P(click | the scenario is `click`).
        median_watch_ratio: median of play time / duration, given a play.
        share: P(share | play).
        comment: P(comment | play).
    """

    click: np.ndarray
    median_watch_ratio: np.ndarray
    share: np.ndarray
    comment: np.ndarray


@dataclasses.dataclass(frozen=True)
class Feedback:
    """The feedback to N exposures, each (N,).

    Attributes:
        clicked, played, shared, commented: 0 or 1.
        play_s: seconds played, to the millisecond; 0 without a play.
    """

    clicked: np.ndarray
    played: np.ndarray
    shared: np.ndarray
    commented: np.ndarray
    play_s: np.ndarray


def click_affinity(users: Users, videos: Videos, user: np.ndarray, video: np.ndarray) -> np.ndarray:
    """Return how well videos (N,) suit the curiosity of users (N,), both indices.

    The result (N,) has mean 0 and a variance of about 1.
    """
    return _affinity(users.factors[user], videos.factors[video], _CLICK)


def inclinations(
    users: Users, videos: Videos, user: np.ndarray, video: np.ndarray, context: Context
) -> Inclinations:
    """Return what stays the same of exposures of `video` (N,) to `user` (N,), both indices."""
    interests, subjects = users.factors[user], videos.factors[video]
    log_duration = np.log(videos.duration_s[video] / 20.0)
    log_activity = (np.log(users.activity[user]) - 2.0) / 0.8
    return Inclinations(
        click=-1.2
        + 1.1 * _affinity(interests, subjects, _CLICK)
        + 0.8 * videos.clickbait[video]
        + 0.4 * log_activity
        - 0.3 * np.log1p(videos.age_days[video] / 30.0),
        log_watch_ratio=-0.5
        + 0.6 * _affinity(interests, subjects, _WATCH)
        + 0.4 * videos.substance[video]
        - 0.4 * videos.clickbait[video]
        - 0.5 * log_duration
        + 0.15 * context.wifi
        + 0.15 * context.evening
        - 0.1 * log_activity
        # Users who clicked want to see the video; users to whom it plays by itself may not.
        + 0.4 * context.clickable,
        share=-3.9
        + 0.8 * _affinity(interests, subjects, _SHARE)
        + 0.9 * videos.shareable[video]
        + 0.7 * users.sociable[user],
        comment=-3.6
        + 0.8 * _affinity(interests, subjects, _COMMENT)
        + 0.8 * videos.debatable[video]
        + 0.4 * users.sociable[user],
        susceptibility=np.sqrt((videos.styles[video] ** 2).sum(axis=-1) / videos.styles.shape[-1]),
    )


def mood_match(moods: np.ndarray, videos: Videos, video: np.ndarray) -> np.ndarray:
    """Return how well videos (N,), indices, match moods (N, MOODS); of variance about 1, (N,)."""
    return (moods * videos.styles[video]).sum(axis=-1) / np.sqrt(moods.shape[-1])


def propensities(fixed: Inclinations, match: np.ndarray, trend: np.ndarray | float) -> Propensities:
    """Return the true parameters on a day.

    Args:
        fixed: what stays the same.
        match: how well the video matches the user's mood, (N,).
        trend: the video's trend, (N,) or one for all.
    """

    def added(what: str) -> np.ndarray:
        return _OF_MOOD[what] * match + _OF_TREND[what] * trend

    return Propensities(
        click=_sigmoid(fixed.click + added("click")),
        median_watch_ratio=np.exp(fixed.log_watch_ratio + added("watch")),
        share=_sigmoid(fixed.share + added("share")),
        comment=_sigmoid(fixed.comment + added("comment")),
    )


def draw_feedback(
    true: Propensities, duration_s: np.ndarray, context: Context, rng: np.random.Generator
) -> Feedback:
    """Draw feedback.

    The watch ratio of a play is log-logistic with shape 2, which gives the closed forms of
    `true_scores`.
    """
    count = len(duration_s)
    clicked = context.clickable & (rng.random(count) < true.click)
    played = clicked | ~context.clickable
    quantile = rng.random(count)
    watch_ratio = np.minimum(
        true.median_watch_ratio * np.sqrt(quantile / (1.0 - quantile)), MAX_WATCH_RATIO
    )
    return Feedback(
        clicked=clicked.astype(int),
        played=played.astype(int),
        shared=(played & (rng.random(count) < true.share)).astype(int),
        commented=(played & (rng.random(count) < true.comment)).astype(int),
        play_s=np.where(played, watch_ratio * duration_s, 0.0).round(3),
    )


def true_scores(
    true: Propensities, duration_s: np.ndarray, context: Context
) -> dict[str, np.ndarray]:
    """Return the expected label of each task within its sample space, (N,) by task.

    No model can beat these scores. With a the median watch ratio,
    P(ratio > t) = 1 / (1 + (t/a)²) and E[min(ratio, 1)] = a · arctan(1/a).
    """
    play = np.where(context.clickable, true.click, 1.0)
    median = true.median_watch_ratio
    return {
        "vtr": play / (1.0 + (VALID_VIEW_S / (duration_s * median)) ** 2),
        "vcr": play * median * np.arctan(1.0 / median),
        "shr": true.share,
        "cmr": true.comment,
        "ctr": true.click,
    }


def scores_without_history(
    fixed: Inclinations, duration_s: np.ndarray, context: Context
) -> dict[str, np.ndarray]:
    """Return the expected label for one who knows nothing of moods and trends, (N,) by task.

    Both are normal and independent of what is shown, so this is the mean of `true_scores` over a
    product of two normal distributions, by Gauss–Hermite quadrature.
    """
    sums: dict[str, np.ndarray] = {}
    for match, of_match in zip(_NODES, _NODE_WEIGHTS, strict=True):
        for trend, of_trend in zip(_NODES, _NODE_WEIGHTS, strict=True):
            true = propensities(fixed, match * fixed.susceptibility, trend)
            for task, score in true_scores(true, duration_s, context).items():
                sums[task] = sums.get(task, 0.0) + of_match * of_trend * score
    return sums


def _affinity(interests: np.ndarray, subjects: np.ndarray, weights: np.ndarray) -> np.ndarray:
    return (interests * subjects) @ (weights / np.sqrt((weights**2).sum()))


def _sigmoid(logits: np.ndarray) -> np.ndarray:
    return 1.0 / (1.0 + np.exp(-logits))
