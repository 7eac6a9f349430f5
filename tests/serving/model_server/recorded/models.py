"""The models that TensorFlow Serving had loaded when its answers in `answers.json` were recorded. Imports TensorFlow.

In the recorded texts, /MODELS stands for the folder that `save_models` is given.
"""

from __future__ import annotations

from pathlib import Path

import tensorflow as tf

_FLOAT, _TEXT = tf.float32, tf.string


class RecordedModel(tf.Module):
    """A logistic model of x (B, 4), whose weights are all `weight`, plus the number of the category c."""

    def __init__(self, weight: float) -> None:
        super().__init__()
        self.w = tf.Variable(tf.fill([4, 3], weight), name="w")
        categories = tf.lookup.KeyValueTensorInitializer(["a", "b"], tf.constant([1, 2], tf.int64))
        self.table = tf.lookup.StaticHashTable(categories, 0)

    @tf.function(
        input_signature=[
            tf.TensorSpec([None, 4], _FLOAT, name="x"),
            tf.TensorSpec([None], _TEXT, name="c"),
        ]
    )
    def predict(self, x, c):
        category = tf.cast(self.table.lookup(c), tf.float32)
        y = tf.sigmoid(tf.matmul(x, self.w) + category[:, None])
        return {"ctr": y[:, 0], "like": y[:, 1], "score": y[:, 0] ** 0.5 * y[:, 1]}

    @tf.function(
        input_signature=[
            tf.TensorSpec([1, 2], _FLOAT, name="user"),
            tf.TensorSpec([None, 2], _FLOAT, name="items"),
        ]
    )
    def rank(self, user, items):
        n = tf.shape(items)[0]
        x = tf.concat([tf.tile(user, [n, 1]), items], 1)
        y = tf.sigmoid(tf.matmul(x, self.w))
        return {"score": y[:, 0], "n": n}

    @tf.function(input_signature=[tf.TensorSpec([None], _TEXT, name="inputs")])
    def classify(self, inputs):
        features = {
            "x": tf.io.FixedLenFeature([4], tf.float32),
            "c": tf.io.FixedLenFeature([], tf.string, ""),
        }
        read = tf.io.parse_example(inputs, features)
        y = self.predict(read["x"], read["c"])
        return {
            "scores": tf.stack([y["ctr"], y["like"]], 1),
            "classes": tf.tile(tf.constant([["ctr", "like"]]), [tf.shape(inputs)[0], 1]),
        }

    @tf.function(input_signature=[tf.TensorSpec([None], _TEXT, name="inputs")])
    def regress(self, inputs):
        return {"outputs": self.classify(inputs)["scores"][:, 0]}

    @tf.function(input_signature=[tf.TensorSpec([], _FLOAT, name="a")])
    def scalar(self, a):
        return {"b": a * 2.0}


def save_models(folder: Path) -> None:
    """Save the versions 1 to 3 of the model `m`, and version 1 of the model `pool`."""
    for version in (1, 2, 3):
        _save(folder / "m" / str(version), version / 10)
    _save(folder / "pool" / "1", 0.1)


def _save(folder: Path, weight: float) -> None:
    model = RecordedModel(weight)
    signatures = {
        "serving_default": model.predict,
        "rank": model.rank,
        "clf": model.classify,
        "reg": model.regress,
        "scalar": model.scalar,
    }
    tf.saved_model.save(model, str(folder), signatures=signatures)
