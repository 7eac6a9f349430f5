"""What a request knows of its user's past."""

from __future__ import annotations

import numpy as np

from pipeline.simulator.exposures import no_recent_videos, recent_videos


def test_a_request_sees_what_its_user_watched_in_earlier_requests_only() -> None:
    # User 0 makes requests 0 and 2, user 1 request 1. Watched: in request 0 videos 7 and 8, in 1
    # video 9, in 2 video 5.
    newest_first, _ = recent_videos(
        no_recent_videos(2),
        np.array([0, 1, 0]),
        watched_request=np.array([0, 0, 1, 2]),
        watched_video=np.array([7, 8, 9, 5]),
    )
    assert newest_first.tolist() == [[-1] * 5, [-1] * 5, [8, 7, -1, -1, -1]]


def test_the_state_carries_the_latest_videos_to_the_next_day() -> None:
    _, state = recent_videos(
        no_recent_videos(2),
        np.array([0]),
        watched_request=np.zeros(6, dtype=int),
        watched_video=np.array([1, 2, 3, 4, 5, 6]),
    )
    assert state.tolist() == [[2, 3, 4, 5, 6], [-1] * 5]
    newest_first, _ = recent_videos(
        state, np.array([0, 1]), np.array([], dtype=int), np.array([], dtype=int)
    )
    assert newest_first.tolist() == [[6, 5, 4, 3, 2], [-1] * 5]
