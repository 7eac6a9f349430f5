"""What all tests share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leaves modules that import TensorFlow unread where its tests are deselected: importing alone takes seconds."""
    if "not tensorflow" in config.option.markexpr and collection_path.suffix == ".py":
        text = collection_path.read_text(encoding="utf-8")
        if 'importorskip("tensorflow")' in text and "mark.tensorflow" in text:
            return True
    return None


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of the real data sets, which lies beside the project and is no part of it."""
    folder = Path(os.environ.get("FULCRUM_SHARED", REPOSITORY.parent / "shared")) / "data"
    if not folder.is_dir():
        pytest.skip(f"the real data sets are not there: {folder} does not exist")
    return folder
