"""Scores of serialized tf.Examples by an exported model, in batches of thousands."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from feature_spec import names

# Larger batches are not faster, and take memory for each row's features.
BATCH_ROWS = 4096


class Scorer:
    """The signature `serving_default` of a SavedModel, run in a session over its graph.

    A session loads the graph alone. `tf.saved_model.load` also makes Python functions of every
    signature, which takes longer than to score ten thousand examples.

    Attributes:
        outputs: the names of the outputs.
    """

    def __init__(self, folder: str) -> None:
        """Load the model.

        Args:
            folder: the folder of the SavedModel.

        Raises:
            tf.errors.OpError, OSError: the model cannot be loaded.
            ValueError: it has no signature `serving_default` with a single input.
        """
        graph = tf.Graph()
        self._session = tf.compat.v1.Session(graph=graph)
        with graph.as_default():
            meta_graph = tf.compat.v1.saved_model.load(
                self._session, [tf.saved_model.SERVING], folder
            )
        signature = meta_graph.signature_def.get(names.SERVING_DEFAULT)
        inputs = [] if signature is None else [info.name for info in signature.inputs.values()]
        if signature is None or len(inputs) != 1:
            raise ValueError(
                f"{folder} needs a signature {names.SERVING_DEFAULT} with one input, serialized "
                f"examples; it has the signatures {', '.join(sorted(meta_graph.signature_def))}, "
                f"and this one has {len(inputs)} inputs"
            )
        tensors = {name: info.name for name, info in signature.outputs.items()}
        self.outputs = frozenset(tensors)
        self._run = self._session.make_callable(list(tensors.values()), feed_list=inputs)
        self._names = list(tensors)

    def scores(self, examples: np.ndarray) -> dict[str, np.ndarray]:
        """Return each output for serialized examples, (B,), as (B,).

        Raises:
            tf.errors.OpError: the model cannot read the examples.
        """
        return dict(zip(self._names, map(np.ravel, self._run(examples)), strict=True))

    def close(self) -> None:
        """Free the model's memory."""
        self._session.close()
