"""Polls a model without a server around it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from serving.model_server.versions.served_model import ServedModel


def poll(model: ServedModel, load: Callable[[Path], Any] | None = None) -> None:
    """Bring a model in line with its folder, as a server does: each version is loaded, by `load` if given, and warmed up."""
    from serving.model_server.methods.warm_up import load_and_warm
    from serving.model_server.versions.saved_model import SavedModel

    model.poll(lambda folder: load_and_warm(folder, load or SavedModel))
