"""Packed rows wait in files while a runner shuffles that would hold several copies of all of them in this machine's memory."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import apache_beam as beam
import tensorflow as tf
from apache_beam.io.filesystems import FileSystems
from apache_beam.options.pipeline_options import StandardOptions

from pipeline.ingest.shuffle.arrow_ipc import StoredPack

# None is Beam's default, which is one of them.
_RUNNERS_IN_MEMORY = {
    None,
    "DirectRunner",
    "SwitchingDirectRunner",
    "FnApiRunner",
    "BundleBasedDirectRunner",
}


class StorePacks(beam.PTransform):
    """From (shard, packed rows) to (shard, where they lie), to be grouped next; other runners' shuffles get them as they are.

    Args:
        folder: for the files, which nobody removes here.
    """

    def __init__(self, folder: str) -> None:
        super().__init__()
        self._folder = folder

    def expand(self, packs: beam.PCollection) -> beam.PCollection:
        """Asks which runner it is."""
        if packs.pipeline.options.view_as(StandardOptions).runner in _RUNNERS_IN_MEMORY:
            return packs | beam.ParDo(_StorePacks(self._folder))
        return packs


class _StorePacks(beam.DoFn):
    """A file a bundle; a bundle that is tried again gets another one."""

    def __init__(self, folder: str) -> None:
        self._folder = folder

    def start_bundle(self) -> None:
        self._file: Any = None

    def process(self, element: tuple[int, bytes]) -> Iterator[tuple[int, StoredPack]]:
        shard, pack = element
        if self._file is None:
            tf.io.gfile.makedirs(self._folder)
            self._path = FileSystems.join(self._folder, f"packs-{uuid.uuid4().hex}")
            self._file, self._offset = tf.io.gfile.GFile(self._path, "wb"), 0
        self._file.write(pack)
        yield shard, StoredPack(self._path, self._offset, len(pack))
        self._offset += len(pack)

    def finish_bundle(self) -> None:
        if self._file is not None:
            self._file.close()
