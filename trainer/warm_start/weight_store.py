"""The weights of a trained network as a file beside its export, for a later training.

The export itself does not serve this purpose: it may be pruned or in half precision, and it does
not tell the meaning of its rows. Tables, and what the optimizer keeps for their rows, pass through
memory in blocks.
"""

from __future__ import annotations

import os
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import IO, Any, cast

import numpy as np
import tensorflow as tf

from feature_spec import names
from feature_spec.loading import SpecError, parse_spec
from trainer.network.network import Network
from trainer.network.table_blocks import read_table
from trainer.network.vocabulary import Vocabulary
from trainer.warm_start.array_archive import ArchiveWriter, StoredArray
from trainer.warm_start.embedding_remap import TableRows
from trainer.warm_start.optimizer_state import state_of

_FILE = "weights.npz"
_MODEL, _DENSE, _TABLE, _VOCABULARY = "model", "dense", "table", "vocabulary"
# What the optimizer keeps for a variable is under the variable's own name.
_TABLE_STATE, _DENSE_STATE = "table_state", "dense_state"

TableKey = tuple[int, int]


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
        table_state: what the optimizer kept for each table, by name.
        dense_state: what it kept for the others, by place in `dense` and name: ``3/Adam/m``.
    """

    model: str
    rows: TableRows
    tables: dict[TableKey, StoredArray]
    dense: list[StoredArray]
    table_state: dict[TableKey, dict[str, StoredArray]] = field(default_factory=dict)
    dense_state: dict[str, StoredArray] = field(default_factory=dict)


def dense_weights(network: Network) -> list[Any]:
    """Return all variables but the tables, in the order in which they were made.

    Their names differ from process to process.
    """
    tables = {table.ref() for table in network.embedding_tables}
    return [variable for variable in network.variables if variable.ref() not in tables]


def save_weights(
    network: Network,
    vocabularies: Mapping[str, Vocabulary],
    saved_model: str,
    optimizer: Any = None,
) -> None:
    """Write the weights beside the folder of the SavedModel, so that they are not pushed.

    Args:
        network: a trained network.
        vocabularies: the vocabularies by file name.
        saved_model: the folder of the SavedModel, which may be a URI.
        optimizer: the optimizer that trained the network, see `state_of`; None to keep the weights
            only.
    """
    tf.io.gfile.makedirs(os.path.dirname(saved_model))
    # GFile can only append, so the archive's writer must not find out that it has a `seek`.
    with (
        tf.io.gfile.GFile(_weights_file(saved_model), "wb") as file,
        zipfile.ZipFile(cast(IO[bytes], _Stream(file)), "w") as archive,
    ):
        writer = ArchiveWriter(archive)
        writer.add(_MODEL, np.array(network.model_name))
        for name, vocabulary in vocabularies.items():
            text = (np.frombuffer(block, np.uint8) for block in vocabulary.blocks())
            shape = (vocabulary.text_bytes,)
            writer.add_blocks(f"{_VOCABULARY}/{name}", shape, np.dtype(np.uint8), text)
        for number, embedding in enumerate(network.embeddings):
            for width, table in embedding.tables.items():
                _add(writer, f"{_TABLE}/{number}/{width}", table)
                for name, value in state_of(optimizer, table).items():
                    _add(writer, f"{_TABLE_STATE}/{number}/{width}/{name}", value)
        for number, variable in enumerate(dense_weights(network)):
            writer.add(f"{_DENSE}/{number:05d}", variable.numpy())
            for name, value in state_of(optimizer, variable).items():
                writer.add(f"{_DENSE_STATE}/{number:05d}/{name}", value.numpy())


def _add(writer: ArchiveWriter, name: str, variable: tf.Variable) -> None:
    if variable.shape.rank:
        dtype = np.dtype(variable.dtype.as_numpy_dtype)
        writer.add_blocks(name, variable.shape, dtype, read_table(variable))
    else:
        writer.add(name, variable.numpy())


def read_weights(saved_model: str) -> TrainedWeights:
    """Find the weights beside a SavedModel, whose folder may be a URI.

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
    archive = zipfile.ZipFile(tf.io.gfile.GFile(file, "rb"))
    arrays = {
        name: StoredArray.of(archive, name)
        for name in sorted(member.removesuffix(".npy") for member in archive.namelist())
    }
    model = str(arrays.pop(_MODEL).whole())
    found = TrainedWeights(model=model, rows=TableRows(spec, {}), tables={}, dense=[])
    vocabularies = {}
    for path, array in arrays.items():
        kind, _, rest = path.partition("/")
        if kind == _VOCABULARY:
            vocabularies[rest] = Vocabulary(array.open)
        elif kind == _TABLE:
            found.tables[_table_key(rest)] = array
        elif kind == _DENSE:
            found.dense.append(array)
        elif kind == _TABLE_STATE:
            number, width, name = rest.split("/", 2)
            found.table_state.setdefault((int(number), int(width)), {})[name] = array
        elif kind == _DENSE_STATE:
            place, name = rest.split("/", 1)
            found.dense_state[f"{int(place)}/{name}"] = array
    return replace(found, rows=TableRows(spec, vocabularies))


def _table_key(text: str) -> TableKey:
    number, width = map(int, text.split("/"))
    return number, width


class _Stream:
    """A file that can only be written to."""

    def __init__(self, file: tf.io.gfile.GFile) -> None:
        self._file = file

    def write(self, data: bytes | memoryview) -> int:
        self._file.write(bytes(data))
        return len(data)

    def flush(self) -> None:
        self._file.flush()


def _weights_file(saved_model: str) -> str:
    return f"{os.path.dirname(saved_model)}/{_FILE}"
