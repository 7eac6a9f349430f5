"""What the tests of the pipeline share."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest


@pytest.fixture(scope="session", autouse=True)
def _no_arguments() -> Iterator[None]:
    """Executors hand the process's arguments to absl, which would take pytest's -v for its own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", sys.argv[:1])
        yield


@pytest.fixture(scope="session", autouse=True)
def _quick_beam(request: pytest.FixtureRequest) -> None:
    """Plan pipelines quickly, if there are any to be run: importing Beam takes seconds."""
    if any(item.get_closest_marker("slow") for item in request.session.items):
        request.getfixturevalue("quick_beam")


@pytest.fixture
def without_plotly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages without Plotly's script, whose 5 MB take most of the time of writing and reading one."""
    monkeypatch.setattr("plotly.offline.get_plotlyjs", lambda: "")
