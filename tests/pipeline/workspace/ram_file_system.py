"""TensorFlow's file system in memory, ``ram://``, for Beam too: a place that is not on this machine's disks.

Defining the class is what makes Beam know the scheme.
"""

from __future__ import annotations

import io
import posixpath
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
import tensorflow as tf
from apache_beam.io.filesystem import (
    BeamIOError,
    CompressedFile,
    CompressionTypes,
    FileMetadata,
    FileSystem,
)
from tensorflow.python.lib.io import file_io


def mend_folders(patch: pytest.MonkeyPatch) -> None:
    """TensorFlow's ``ram://`` renames a folder without what is in it, and lists ``assets.extra`` as ``.extra`` within ``assets``."""
    library = file_io._pywrap_file_io
    rename_one, all_children = library.RenameFile, library.GetChildren

    def rename(given: bytes, wanted: bytes, overwrite: bool) -> None:
        source, destination = given.decode(), wanted.decode()
        if not (source.startswith("ram://") and tf.io.gfile.isdir(source)):
            rename_one(given, wanted, overwrite)
            return
        for folder, _, files in tf.io.gfile.walk(source):
            tf.io.gfile.makedirs(folder.replace(source, destination, 1))
            for file in files:
                path = posixpath.join(folder, file)
                tf.io.gfile.copy(path, path.replace(source, destination, 1))
        tf.io.gfile.rmtree(source)

    def children(folder: bytes) -> list[Any]:
        found = all_children(folder)
        if not folder.startswith(b"ram://"):
            return found
        return [
            name
            for name in found
            if tf.io.gfile.exists(posixpath.join(folder.decode(), tf.compat.as_str_any(name)))
        ]

    patch.setattr(library, "RenameFile", rename)
    patch.setattr(library, "GetChildren", children)


class _OldFile(io.BytesIO):
    mode = "rb"


class _NewFile(io.BytesIO):
    """Is there once it is closed, as in the store of a cloud."""

    mode = "wb"

    def __init__(self, path: str) -> None:
        super().__init__()
        self._path = path

    def close(self) -> None:
        if not self.closed:
            tf.io.write_file(self._path, self.getvalue())
        super().close()


class RamFileSystem(FileSystem):
    @classmethod
    def scheme(cls) -> str:
        return "ram"

    def join(self, basepath: str, *paths: str) -> str:
        return posixpath.join(basepath, *paths)

    def split(self, path: str) -> tuple[str, str]:
        return posixpath.split(path)

    def mkdirs(self, path: str) -> None:
        tf.io.gfile.makedirs(path)

    def has_dirs(self) -> bool:
        return True

    def _list(self, dir_or_prefix: str) -> Iterator[FileMetadata]:
        for folder, _, files in tf.io.gfile.walk(dir_or_prefix):
            for file in files:
                yield self.metadata(posixpath.join(folder, file))

    def create(
        self, path: str, mime_type: str = "", compression_type: str = CompressionTypes.AUTO
    ) -> Any:
        if self.exists(path):  # TensorFlow's file system would append to it
            tf.io.gfile.remove(path)
        return self._of_type(path, _NewFile(path), compression_type)

    def open(
        self, path: str, mime_type: str = "", compression_type: str = CompressionTypes.AUTO
    ) -> Any:
        if not self.exists(path):
            raise BeamIOError(f"no such file: {path}")
        return self._of_type(path, _OldFile(tf.io.read_file(path).numpy()), compression_type)

    def _of_type(self, path: str, file: io.BytesIO, compression_type: str) -> Any:
        compression_type = self._get_compression_type(path, compression_type)
        return (
            file
            if compression_type == CompressionTypes.UNCOMPRESSED
            else CompressedFile(file, compression_type)
        )

    def copy(self, source_file_names: Sequence[str], destination_file_names: Sequence[str]) -> None:
        for source, destination in zip(source_file_names, destination_file_names, strict=True):
            tf.io.gfile.copy(source, destination, overwrite=True)

    def rename(
        self, source_file_names: Sequence[str], destination_file_names: Sequence[str]
    ) -> None:
        for source, destination in zip(source_file_names, destination_file_names, strict=True):
            tf.io.gfile.rename(source, destination, overwrite=True)

    def exists(self, path: str) -> bool:
        return tf.io.gfile.exists(path)

    def size(self, path: str) -> int:
        return tf.io.gfile.stat(path).length

    def last_updated(self, path: str) -> float:
        return tf.io.gfile.stat(path).mtime_nsec / 1e9

    def metadata(self, path: str) -> FileMetadata:
        return FileMetadata(path, self.size(path), self.last_updated(path))

    def delete(self, paths: Sequence[str]) -> None:
        for path in paths:
            folder = path.rstrip("/")
            if not tf.io.gfile.isdir(folder):
                tf.io.gfile.remove(path)
            # Object stores take a path without a slash at its end for that of an object, and have
            # folders only where they have objects.
            elif path.endswith("/") or not any(self._list(folder)):
                tf.io.gfile.rmtree(folder)
