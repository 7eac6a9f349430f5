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
