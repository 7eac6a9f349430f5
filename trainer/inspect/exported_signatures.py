"""Signatures of an exported model, run in a session over its graph."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np


class ExportedSignatures:
    """The signatures of a SavedModel that take serialized examples.

    The model is loaded on first use, and once for all of them. A session loads the graph alone;
    `tf.saved_model.load` also makes Python functions of every signature and of every function
    below, which takes longer than to score ten thousand examples.

    Args:
        folder: the folder of the SavedModel.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = str(folder)
        self._session: Any = None
        self._signatures: Any = {}
        self._callables: dict[str, tuple[list[str], Any]] = {}

    def outputs(self, signature: str, examples: np.ndarray) -> dict[str, np.ndarray]:
        """Return each output of a signature.

        Args:
            signature: its name.
            examples: serialized tf.Examples, (B,).

        Raises:
            tf.errors.OpError, OSError: the model cannot be loaded, or cannot read the examples.
            KeyError: the model has no such signature.
        """
        if signature not in self._callables:
            self._callables[signature] = self._callable(signature)
        found, run = self._callables[signature]
        return dict(zip(found, run(examples), strict=True))

    def close(self) -> None:
        """Free the model's memory."""
        if self._session is not None:
            self._session.close()
            self._session = None
            self._callables = {}

    def _callable(self, signature: str) -> tuple[list[str], Any]:
        import tensorflow as tf

        if self._session is None:
            graph = tf.Graph()
            self._session = tf.compat.v1.Session(graph=graph)
            with graph.as_default():
                meta_graph = tf.compat.v1.saved_model.load(
                    self._session, [tf.saved_model.SERVING], self._folder
                )
            self._signatures = meta_graph.signature_def
        if signature not in self._signatures:
            raise KeyError(f"{self._folder} has no signature {signature}")
        definition = self._signatures[signature]
        (fed,) = (info.name for info in definition.inputs.values())
        fetched = {name: info.name for name, info in sorted(definition.outputs.items())}
        return list(fetched), self._session.make_callable(list(fetched.values()), feed_list=[fed])
