"""The models that TensorFlow Serving's recorded answers belong to."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def recorded_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the models that TensorFlow Serving had loaded when its answers were recorded."""
    from tests.serving.model_server.recorded.models import save_models

    folder = tmp_path_factory.mktemp("models")
    save_models(folder)
    return folder
