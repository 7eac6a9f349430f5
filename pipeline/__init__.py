"""Ingestion, preprocessing, validation, evaluation, the TFX pipeline and its runner."""

import importlib
import os
from typing import Any

from pipeline.deferred_imports import defer_imports

# Before anything imports TFX: components that no run uses take seconds to load.
defer_imports()

# TFT, TFMA and TensorFlow Recommenders need the Keras 2 dialect, chosen before anything touches
# `tf.keras`.
os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")


def __getattr__(name: str) -> Any:
    """Return an artifact type by its name in ML Metadata, such as ``pipeline.Insight``.

    Pods of Kubeflow import the types by these names.
    """
    if name in ("DriftReport", "Insight", "Report"):
        # Imported lazily, because TFX is slow to load.
        return getattr(importlib.import_module("pipeline.workspace.artifact_types"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
