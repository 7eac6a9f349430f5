"""Fulcrum's layers in your own Keras model: candidates attend to a history, a level of PLE follows.

python examples/keras_model.py
"""

from __future__ import annotations

import numpy as np

from fulcrum.layers import CGCLevel, DotProductAttention, History, Tower

import tensorflow as tf  # isort: skip  (after Fulcrum, which chooses Keras 2)

ITEMS, WIDTH, LENGTH = 50, 8, 5


class Ranker(tf.keras.Model):
    """Logits of click and share."""

    def __init__(self) -> None:
        super().__init__()
        self.items = tf.keras.layers.Embedding(ITEMS, WIDTH)
        self.attention = DotProductAttention(units=WIDTH, heads=2)
        self.level = CGCLevel(tasks=2, task_experts=1, shared_experts=1, units=[16])
        self.towers = [Tower([8]) for _ in ("click", "share")]

    def call(self, inputs: tuple[tf.Tensor, tf.Tensor, tf.Tensor]) -> list[tf.Tensor]:
        """Map users (B, 4), items (B,) and seen items (B, L), 0 where fewer, to 2 × (B,)."""
        user, item, seen = inputs
        candidates, entries = self.items(item), self.items(seen)
        history = History(
            candidates=candidates,
            entries=entries,
            marks=tf.zeros([*seen.shape, 0]),
            mask=tf.not_equal(seen, 0),
        )
        x = tf.concat([user, candidates, self.attention(history)], axis=1)
        return [tower(task) for tower, task in zip(self.towers, self.level(x), strict=True)]


random = np.random.default_rng(0)
batch = (
    tf.constant(random.normal(size=(6, 4)), tf.float32),
    tf.constant(random.integers(1, ITEMS, 6)),
    tf.constant(random.integers(0, ITEMS, (6, LENGTH))),
)
print([logits.shape.as_list() for logits in Ranker()(batch)])
