"""Examples of files as packed columns on disk, in an order that follows from their content.

Ingested examples go through the transform graph on their way. The columns are as Transform's own
pass over the examples would write them, so that a network learns the same either way.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import posixpath
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from trainer.inputs.examples import Columns, Examples

Features = Mapping[str, tf.io.FixedLenFeature]
# Serialized examples (B,) to features by name, (B, ·) each.
Reading = Callable[[tf.Tensor], Mapping[str, tf.Tensor]]

# A row of long histories takes 10 kB on its way through the transform graph.
_READ_ROWS = 4096
_WRITTEN_ROWS = 8192
_CHECKSUM_BYTES = 8
_HASHED_BYTES = 1 << 20
_COMPLETE = "complete.json"


def content_key(patterns: Sequence[str], transform_graph: str, kind: str) -> str:
    """Return the name of the columns of examples, of all that they follow from.

    Args:
        patterns: globs of the examples, in an order that tells what they are for.
        transform_graph: the folder of the transform graph's SavedModel.
        kind: what else tells columns apart.
    """
    digest = hashlib.sha256(kind.encode())
    for pattern in patterns:
        digest.update(f"\n{pattern}".encode())
        for file in sorted(tf.io.gfile.glob(pattern)):
            size = tf.io.gfile.stat(file).length
            with tf.io.gfile.GFile(file, "rb") as content:
                # A gzip file ends with a checksum of what it holds.
                content.seek(max(0, size - _CHECKSUM_BYTES))
                digest.update(f"{file} {size} {content.read().hex()}".encode())
    for folder, _, files in sorted(tf.io.gfile.walk(transform_graph)):
        for name in sorted(files):
            # Folders of an object store end with a slash, and two of them would be another name.
            path = posixpath.join(folder, name)
            with tf.io.gfile.GFile(path, "rb") as content:
                digest.update(f"\n{path} ".encode())
                while chunk := content.read(_HASHED_BYTES):
                    digest.update(chunk)
    return digest.hexdigest()[:15]


def only_folder(folder: Path, key: str) -> Path:
    """Return the folder of a key below a folder, from which those of other keys are removed."""
    if folder.is_dir():
        for other in folder.iterdir():
            if other.name != key:
                shutil.rmtree(other, ignore_errors=True)
    return folder / key


def packed_examples(
    patterns: Sequence[str],
    features: Features,
    folder: Path,
    reading: Callable[[], Reading] | None = None,
) -> Examples:
    """Read gzipped TFRecords once, and keep the features of their examples sorted on disk.

    The order follows from the content of the features alone, so that it is the same whatever files
    they came in and in whatever order.

    Args:
        patterns: globs of the files.
        features: the features of each example. They are few, because Transform packs them.
        folder: keeps the columns as NumPy files. If an earlier call finished there and no file has
            gone, its are taken.
        reading: returns what makes features of serialized examples, and is called only if they
            are read. None: the examples hold the features as such.
    """
    columns = _opened(folder)
    if columns is None:
        parse = functools.partial(tf.io.parse_example, features=dict(features))
        _write(patterns, features, folder, parse if reading is None else reading())
        columns = _opened(folder)
    if columns is None:
        raise OSError(f"{folder}: the columns of the examples are gone as soon as they are written")
    return Examples(columns)


def _opened(folder: Path) -> dict[str, npt.NDArray[np.generic]] | None:
    """Return the columns in a folder; None if one is missing or cut off."""
    try:
        shapes = json.loads((folder / _COMPLETE).read_text(encoding="utf-8"))
        return {
            # An empty file cannot be mapped.
            name: np.memmap(folder / f"{name}.sorted", dtype, "r", shape=tuple(shape))
            if 0 not in shape
            else np.zeros(shape, dtype)
            for name, (dtype, shape) in shapes.items()
        }
    except (OSError, ValueError):
        return None


def _write(patterns: Sequence[str], features: Features, folder: Path, reading: Reading) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    shapes = {
        name: (feature.dtype.as_numpy_dtype, tuple(feature.shape))
        for name, feature in features.items()
    }
    keys = [np.zeros(0, np.uint64)]
    files = {name: (folder / f"{name}.read").open("wb") for name in features}
    for batch in _read(patterns, reading):
        columns = {name: batch[name].numpy() for name in sorted(features)}
        keys.append(_content_keys(columns))
        for name, values in columns.items():
            files[name].write(values.tobytes())
    order = np.argsort(np.concatenate(keys), kind="stable")
    for name, (dtype, shape) in shapes.items():
        files[name].close()
        read, written = folder / f"{name}.read", folder / f"{name}.sorted"
        if len(order) and 0 not in shape:
            source = np.memmap(read, dtype, "r", shape=(len(order), *shape))
            with written.open("wb") as file:
                for first in range(0, len(order), _WRITTEN_ROWS):
                    file.write(source[order[first : first + _WRITTEN_ROWS]].tobytes())
        read.unlink()
    described = {
        name: (np.dtype(dtype).str, (len(order), *shape)) for name, (dtype, shape) in shapes.items()
    }
    unfinished = folder / f"{_COMPLETE}.unfinished"
    unfinished.write_text(json.dumps(described), encoding="utf-8")
    os.replace(unfinished, folder / _COMPLETE)


def _read(patterns: Sequence[str], reading: Reading) -> tf.data.Dataset:
    parallel_calls = os.cpu_count() or 1
    files = tf.data.Dataset.list_files(list(patterns), shuffle=False)
    dataset = files.interleave(
        lambda file: tf.data.TFRecordDataset(file, compression_type="GZIP", buffer_size=8 << 20),
        cycle_length=4,
        num_parallel_calls=parallel_calls,
        deterministic=True,
    )
    options = tf.data.Options()
    options.autotune.enabled = False  # as in `trainer.inputs.examples`
    return (
        dataset.batch(_READ_ROWS)
        .map(reading, num_parallel_calls=parallel_calls)
        .prefetch(1)
        .with_options(options)
    )


def _content_keys(columns: Columns) -> npt.NDArray[np.uint64]:
    """Return a hash of each row, (rows,). Rows of equal content have equal hashes."""
    keys = np.zeros(len(next(iter(columns.values()))), np.uint64)
    for values in columns.values():
        bits = np.ascontiguousarray(values).reshape(len(keys), -1)
        words = bits.view(f"u{bits.itemsize}").astype(np.uint64)
        for column in words.T:
            keys = _mixed(keys ^ column)
    return keys


def _mixed(keys: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """Apply splitmix64, which lets each bit depend on all."""
    keys = (keys + np.uint64(0x9E3779B97F4A7C15)) * np.uint64(0xBF58476D1CE4E5B9)
    keys = (keys ^ (keys >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return keys ^ (keys >> np.uint64(31))
