"""LOGS → BLESSED MODEL: ingestion in Beam, preprocessing, validation, evaluation, the TFX pipeline and its runner."""

import importlib
import os
from typing import Any

# TFT, TFMA and TensorFlow Recommenders need the Keras 2 dialect, chosen before anything touches
# `tf.keras`.
os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")


def __getattr__(name: str) -> Any:
    """The artifact types by their names in ML Metadata, such as ``pipeline.Insight``, by which pods of Kubeflow import them."""
    if name in ("DriftReport", "Insight", "Report"):
        # Not at once: TFX takes its time to load.
        return getattr(importlib.import_module("pipeline.workspace.artifact_types"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
