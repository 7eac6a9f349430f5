"""One day of exposures and the videos that users watched before (docs/simulator.md, section 3)."""

from __future__ import annotations

import dataclasses

import numpy as np

from pipeline.simulator.feedback import Context, click_affinity
from pipeline.simulator.population import Users, Videos
from pipeline.simulator.simulation_config import EXPOSURES_OF_REQUEST

RECENT_VIDEOS = 5
NETWORKS = np.array(["wifi", "4g", "5g", "3g"])
_WEIGHT_OF_HOUR = np.array(
    [3, 2, 1, 1, 1, 2, 3, 4, 5, 5, 5, 6, 7, 6, 5, 5, 5, 6, 7, 9, 10, 10, 8, 5], dtype=float
)


@dataclasses.dataclass(frozen=True)
class Exposures:
    """N exposures of one day by R requests, in order of time.

    Attributes:
        request: number of the request within the day, (N,), ascending.
        user: index of the user, (N,).
        video: index of the video, (N,); distinct within a request.
        second: second of the day, (N,).
        hour: hour of the day, (N,).
        network: index into `NETWORKS`, (N,).
        context: the circumstances that the feedback depends on.
        request_user: index of each request's user, (R,).
    """

    request: np.ndarray
    user: np.ndarray
    video: np.ndarray
    second: np.ndarray
    hour: np.ndarray
    network: np.ndarray
    context: Context
    request_user: np.ndarray


def draw_exposures(users: Users, videos: Videos, rows: int, rng: np.random.Generator) -> Exposures:
    """Draw `rows` exposures.

    Active users make more requests; popular and suitable videos are shown more often.
    """
    requests = -(-rows // EXPOSURES_OF_REQUEST)
    request_user = rng.choice(
        len(users.activity), size=requests, p=users.activity / users.activity.sum()
    )
    hour_of_request = rng.choice(24, size=requests, p=_WEIGHT_OF_HOUR / _WEIGHT_OF_HOUR.sum())
    second_of_request = np.sort(hour_of_request * 3600 + rng.integers(3600, size=requests))
    network_of_request = rng.choice(len(NETWORKS), size=requests, p=[0.6, 0.2, 0.15, 0.05])
    clickable_request = rng.random(requests) < 0.45

    request = np.repeat(np.arange(requests), EXPOSURES_OF_REQUEST)[:rows]
    user, second, network = (
        request_user[request],
        second_of_request[request],
        network_of_request[request],
    )
    hour = second // 3600
    return Exposures(
        request=request,
        user=user,
        video=_draw_videos(users, videos, user, request, rng),
        second=second,
        hour=hour,
        network=network,
        context=Context(
            clickable=clickable_request[request],
            wifi=network == 0,
            evening=(hour >= 19) & (hour <= 23),
        ),
        request_user=request_user,
    )


def no_recent_videos(users: int) -> np.ndarray:
    """Return the state before the first day: (users, RECENT_VIDEOS) indices, -1 for none."""
    return np.full((users, RECENT_VIDEOS), -1)


def recent_videos(
    state: np.ndarray,
    request_user: np.ndarray,
    watched_request: np.ndarray,
    watched_video: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Look up the videos that users watched before each of a day's R requests.

    Args:
        state: (U, RECENT_VIDEOS) the state after the day before, oldest first, -1 for none.
        request_user: (R,) the user of each request, in order of time.
        watched_request: (W,) the request of each watched video, ascending.
        watched_video: (W,) the video.

    Returns:
        (R, RECENT_VIDEOS) the videos watched before each request, newest first, -1 for none, and
        the state after the day.
    """
    users, requests = len(state), len(request_user)
    # Sorting by user, then request: the entries of a user before request q end where key (user, q)
    # would be inserted.
    keys = np.concatenate([
        np.repeat(np.arange(users) * (requests + 1), RECENT_VIDEOS),
        request_user[watched_request] * (requests + 1) + watched_request + 1,
    ])  # fmt: skip
    videos = np.concatenate([state.ravel(), watched_video])
    order = np.argsort(keys, kind="stable")
    keys, videos = keys[order], videos[order]
    end_of_request = np.searchsorted(keys, request_user * (requests + 1) + np.arange(requests) + 1)
    end_of_user = np.searchsorted(keys, (np.arange(users) + 1) * (requests + 1))
    newest_first = videos[end_of_request[:, None] - 1 - np.arange(RECENT_VIDEOS)]
    return newest_first, videos[end_of_user[:, None] - RECENT_VIDEOS + np.arange(RECENT_VIDEOS)]


def _draw_videos(
    users: Users, videos: Videos, user: np.ndarray, request: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Draw the more suitable of two popular videos for each exposure.

    A video that its request already has is drawn anew.
    """
    video = np.full(len(user), -1)
    again = np.arange(len(user))
    cumulative = videos.popularity.cumsum()
    while again.size:
        draws = np.searchsorted(
            cumulative, rng.random((2, again.size)) * cumulative[-1], side="right"
        )
        affinities = [click_affinity(users, videos, user[again], draw) for draw in draws]
        video[again] = np.where(affinities[0] >= affinities[1], draws[0], draws[1])
        first = np.unique(request * len(videos.popularity) + video, return_index=True)[1]
        again = np.setdiff1d(np.arange(len(user)), first)
    return video
