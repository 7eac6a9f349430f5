"""The policies of calls: the back-off before a retry."""

from __future__ import annotations

import pytest

from serving.client.transport.policies import RetryPolicy


@pytest.mark.parametrize(("retry", "full_s"), [(1, 0.02), (2, 0.04), (6, 0.5), (5000, 0.5)])
def test_the_back_off_doubles_up_to_its_longest(retry: int, full_s: float) -> None:
    assert full_s / 2 <= RetryPolicy(attempts=5001).backoff_s(retry) <= full_s
