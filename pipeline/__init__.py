"""LOGS → BLESSED MODEL: ingestion in Beam, preprocessing, validation, evaluation, the TFX pipeline and its runner."""

import os

# TFT, TFMA and TensorFlow Recommenders need the Keras 2 dialect, chosen before anything touches `tf.keras`.
os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")
