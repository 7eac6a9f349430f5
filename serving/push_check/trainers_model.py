"""The trainer's export in this process, with whose scores those of a server are compared."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from feature_spec.names import SERVING_DEFAULT

_INIT_OP = "__saved_model_init_op"


class TrainersModel:
    """A SavedModel in a session over its graph.

    `tf.saved_model.load` would also make Python functions of every signature, which takes longer
    than all the requests of a check.

    Args:
        folder: The folder of the SavedModel.

    Attributes:
        inputs: The names of each signature's inputs, by the signature's name.
    """

    def __init__(self, folder: str) -> None:
        graph = tf.Graph()
        self._session = tf.compat.v1.Session(graph=graph)
        with graph.as_default():
            meta_graph = tf.compat.v1.saved_model.load(
                self._session, [tf.saved_model.SERVING], folder
            )
        self._signatures = meta_graph.signature_def
        self.inputs = {
            name: frozenset(signature.inputs)
            for name, signature in self._signatures.items()
            if name != _INIT_OP
        }

    def scores(self, examples: Sequence[bytes]) -> dict[str, np.ndarray]:
        """Return the outputs of `serving_default` for B serialized examples."""
        signature = self._signatures[SERVING_DEFAULT]
        (fed,) = (info.name for info in signature.inputs.values())
        fetched = {name: info.name for name, info in signature.outputs.items()}
        return self._session.run(fetched, {fed: list(examples)})

    def close(self) -> None:
        """Free the model's memory."""
        self._session.close()
