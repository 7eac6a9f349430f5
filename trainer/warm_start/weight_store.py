"""The weights of a trained network as a file beside its export, for a later training.

The export itself does not serve this purpose: it may be pruned or in half precision, and it does
not tell the meaning of its rows.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from feature_spec import names
from feature_spec.loading import SpecError, parse_spec
from trainer.network.network import Network
from trainer.warm_start.embedding_remap import TableRows

_FILE = "weights.npz"
_MODEL, _DENSE, _TABLE, _VOCABULARY = "model", "dense", "table", "vocabulary"


class NoWeightsError(ValueError):
    """The model has no weights that a training could begin with."""


@dataclass(frozen=True, kw_only=True)
class TrainedWeights:
    """The weights of a trained network.

    Attributes:
        model: the name of the model.
        rows: the meaning of the rows of the tables.
        tables: the tables (rows, D), by set of tables and width D.
        dense: all other weights, in the order of `dense_weights`.
    """

    model: str
    rows: TableRows
    tables: dict[tuple[int, int], np.ndarray]
    dense: list[np.ndarray]


def dense_weights(network: Network) -> list[Any]:
    """Return all variables but the tables, in the order in which they were made.

    Their names differ from process to process.
    """
    tables = {table.ref() for table in network.embedding_tables}
    return [variable for variable in network.variables if variable.ref() not in tables]


def save_weights(
    network: Network, vocabularies: Mapping[str, Sequence[bytes]], saved_model: str
) -> None:
    """Write the weights beside the folder of the SavedModel, so that they are not pushed."""
    content: dict[str, Any] = {_MODEL: np.array(network.model_name)}
    for number, embedding in enumerate(network.embeddings):
        content |= {
            f"{_TABLE}/{number}/{width}": table.numpy() for width, table in embedding.tables.items()
        }
    # Transform leaves values with line breaks out of its vocabularies.
    content |= {
        f"{_VOCABULARY}/{file}": np.frombuffer(b"\n".join(values), np.uint8)
        for file, values in vocabularies.items()
    }
    for number, variable in enumerate(dense_weights(network)):
        content[f"{_DENSE}/{number:05d}"] = variable.numpy()
    # NumPy writes local files only.
    with tempfile.TemporaryDirectory() as folder:
        file = f"{folder}/{_FILE}"
        np.savez(file, **content)
        tf.io.gfile.copy(file, _weights_file(saved_model))


def read_weights(saved_model: str) -> TrainedWeights:
    """Read the weights beside a SavedModel, whose folder may be a URI.

    Raises:
        NoWeightsError: there are no weights, or the spec of the model cannot be read.
    """
    file = _weights_file(saved_model)
    if not tf.io.gfile.exists(file):
        raise NoWeightsError(f"{file} does not exist; runs by span write it")
    try:
        spec = parse_spec(tf.io.read_file(f"{saved_model}/{names.EXPORTED_SPEC}").numpy().decode())
    except (tf.errors.OpError, SpecError) as error:
        raise NoWeightsError(f"the spec of the model cannot be read: {error}") from error
    tables, vocabularies, dense = {}, {}, []
    with tf.io.gfile.GFile(file, "rb") as opened, np.load(opened) as content:
        for key in sorted(content.files):
            kind, _, rest = key.partition("/")
            if kind == _TABLE:
                number, width = map(int, rest.split("/"))
                tables[number, width] = content[key]
            elif kind == _VOCABULARY:
                text = content[key].tobytes()
                vocabularies[rest] = text.split(b"\n") if text else []
            elif kind == _DENSE:
                dense.append(content[key])
        model = str(content[_MODEL])
    return TrainedWeights(
        model=model, rows=TableRows(spec, vocabularies), tables=tables, dense=dense
    )


def _weights_file(saved_model: str) -> str:
    return f"{os.path.dirname(saved_model)}/{_FILE}"
