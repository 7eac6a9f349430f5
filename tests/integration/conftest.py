"""What the runs of whole pipelines share."""

from __future__ import annotations

import pytest


@pytest.fixture(scope="session", autouse=True)
def _quick_beam(quick_beam: None) -> None:
    """Plan pipelines quickly."""
