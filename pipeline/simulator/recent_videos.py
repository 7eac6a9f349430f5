"""Which videos each user watched last, as known when a request is made."""

from __future__ import annotations

import numpy as np

RECENT_VIDEOS = 5


def no_recent_videos(users: int) -> np.ndarray:
    """The state before the first day: (users, RECENT_VIDEOS) video indices, oldest first, -1 for none."""
    return np.full((users, RECENT_VIDEOS), -1)


def recent_videos(
    state: np.ndarray,
    request_user: np.ndarray,
    watched_request: np.ndarray,
    watched_video: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Looks up what each of a day's R requests knows of its user's past.

    Args:
        state: (U, RECENT_VIDEOS) of the day before, oldest first, -1 for none.
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
