"""EXAMPLES AND TRANSFORM GRAPH → SAVEDMODEL: layers, models, joint loss, training and export."""

import os

# TensorFlow Recommenders needs the Keras 2 dialect, chosen before anything touches `tf.keras`.
os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")
