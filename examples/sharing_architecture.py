"""Your own sharing architecture: a subclass, trained in Keras beside PLE on the same data.

python examples/sharing_architecture.py
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fulcrum.layers import Experts, Tower
from fulcrum.models import PLE, SharingArchitecture

import tensorflow as tf  # isort: skip  (after Fulcrum, which chooses Keras 2)


class Averaged(SharingArchitecture):
    """All tasks read the mean of one set of experts: MMoE without gates."""

    def __init__(self, tasks: int, *, experts: int = 4, units: int = 16, **kwargs: Any) -> None:
        super().__init__(tasks, **kwargs)
        self.experts = Experts(experts, [units])

    def call(self, inputs: Any, training: bool | None = None) -> list[tf.Tensor]:
        """Map field embeddings (B, I) to one representation per task, K × (B, U)."""
        mean = tf.reduce_mean(self.experts(inputs, training=training), axis=1)
        return [mean] * self.tasks


def trained_loss(sharing: SharingArchitecture) -> float:
    """Train click and like on noise with a rule in it; return the loss of the last epoch."""
    tf.keras.utils.set_random_seed(0)
    random = np.random.default_rng(0)
    x = random.normal(size=(512, 8)).astype("float32")
    labels = {"click": x[:, 0] > 0, "like": x[:, 0] + x[:, 1] > 1}
    fields = tf.keras.Input([8])
    towers = {name: Tower([8], name=name) for name in labels}
    tasks = dict(zip(towers, sharing(fields), strict=True))
    outputs = {name: tower(tasks[name]) for name, tower in towers.items()}
    model = tf.keras.Model(fields, outputs)
    loss = tf.keras.losses.BinaryCrossentropy(from_logits=True)
    model.compile("adam", loss=dict.fromkeys(labels, loss))
    numbers = {name: y.astype("float32") for name, y in labels.items()}
    history = model.fit(x, numbers, epochs=8, verbose=0)
    return float(history.history["loss"][-1])


for architecture in (Averaged(tasks=2), PLE(tasks=2, expert_units=[16])):
    print(type(architecture).__name__, f"{trained_loss(architecture):.3f}")
