"""Lookups in a vocabulary by fingerprints: fields and values are hashed once, and never joined.

Two of N entries have the same key with a probability of about N² / 2⁶⁴, which is 5 · 10⁻⁶ for 10
million. The model could then not be loaded; it never confuses two entries.
"""

from __future__ import annotations

import contextlib

import tensorflow as tf
import tensorflow_transform as tft

from feature_spec.feature_layout import TOKEN_SEPARATOR

_FINGERPRINTS = 2**63 - 1
_NONE = -1  # no fingerprint, and no place


def fingerprints(texts: tf.Tensor) -> tf.Tensor:
    """Return a number for each text, int64 from 0 to 2⁶³ − 2, in the same shape."""
    return tf.strings.to_hash_bucket_fast(texts, _FINGERPRINTS)


def keys(fields: tf.Tensor, values: tf.Tensor) -> tf.Tensor:
    """Return the keys of fields' values in a `VocabularyTable`.

    Args:
        fields: the fingerprints of the fields' names.
        values: the fingerprints of the values, of a shape to which `fields` broadcasts.
    """
    # Without the shift, value a of field b would have the key of value b of field a.
    return tf.bitwise.bitwise_xor(fields // 2, values)


class VocabularyTable:
    """The places of a vocabulary's entries by their keys, in one table for all who look up.

    Args:
        file: the vocabulary's file, as `tft.vocabulary` returns it.
    """

    def __init__(self, file: tf.Tensor) -> None:
        self._file = file
        self._table: tf.lookup.StaticHashTable | None = None

    def entries(self, keys: tf.Tensor) -> tf.Tensor:
        """Return the places of keys, −1 where there is none; int64, in the same shape."""
        return tft.apply_vocabulary(keys, self._file, lookup_fn=self._look_up)

    def _look_up(self, keys: tf.Tensor, file: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Return the places of keys and the number of places, once the file may be there."""
        if self._table is None:
            known = tf.inside_function() and hasattr(file, "numpy")
            # The table of a known file belongs to the model, and not to each call of it.
            with tf.init_scope() if known else contextlib.nullcontext():
                self._table = tf.lookup.StaticHashTable(_KeysOfLines(file), default_value=_NONE)
        return self._table.lookup(keys), self._table.size() - 1


class _KeysOfLines(tf.lookup.TextFileInitializer):
    """Fills a table with the keys of the lines of a file, and the numbers of the lines from 0."""

    def __init__(self, file: tf.Tensor) -> None:
        index = tf.lookup.TextFileIndex
        super().__init__(file, tf.int64, index.WHOLE_LINE, tf.int64, index.LINE_NUMBER)

    def initialize(self, table: tf.lookup.StaticHashTable) -> tf.Operation:
        """Read the file. This runs whenever a model with the table is loaded."""
        # Without the placeholder, shapes of the file that is there as the graph is made become
        # part of the graph, which then loads with no other.
        file = tf.compat.v1.placeholder_with_default(self._filename, [])
        lines = tf.strings.split(tf.io.read_file(file), "\n")[:-1]
        # Each line is a field, a separator and a value, which may hold separators, too. Only the
        # line that TensorFlow Transform puts into an empty vocabulary has no separator.
        split = tf.strings.split(lines, TOKEN_SEPARATOR, maxsplit=1)
        parts = split.to_tensor("", shape=[None, 2])
        found = keys(*tf.unstack(fingerprints(parts), axis=1))
        none = tf.constant([_NONE], tf.int64)  # because a table must not be empty
        filled = tf.raw_ops.InitializeTableV2(
            table_handle=table.resource_handle,
            keys=tf.concat([none, found], 0),
            values=tf.concat([none, tf.range(tf.size(found, tf.int64))], 0),
        )
        graph = tf.compat.v1.get_default_graph()
        graph.add_to_collection(tf.compat.v1.GraphKeys.TABLE_INITIALIZERS, filled)
        return filled
