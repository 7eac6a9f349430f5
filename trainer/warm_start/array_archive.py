"""Large arrays in one file of NumPy's format ``.npz``, written and read in blocks of rows."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import IO, Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

_BLOCK_BYTES = 1 << 22


class ArchiveWriter:
    """Writes arrays into an archive that `numpy.load` reads, too.

    Args:
        archive: an archive to write to.
    """

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive

    def add(self, name: str, value: Any) -> None:
        """Add an array as a whole."""
        array = np.ascontiguousarray(value)
        self.add_blocks(name, np.shape(value), array.dtype, [array])

    def add_blocks(
        self, name: str, shape: Sequence[int], dtype: np.dtype[Any], blocks: Iterable[Array]
    ) -> None:
        """Add an array whose rows come in blocks."""
        header = {
            "descr": np.lib.format.dtype_to_descr(dtype),
            "fortran_order": False,
            "shape": tuple(shape),
        }
        with self._archive.open(f"{name}.npy", "w", force_zip64=True) as file:
            np.lib.format.write_array_header_1_0(file, header)
            for block in blocks:
                file.write(np.ascontiguousarray(block, dtype).reshape(-1).view(np.uint8).data)


@dataclass(frozen=True)
class StoredArray:
    """An array in an archive, of which a part is in memory at a time.

    Attributes:
        archive: the archive, which is open.
        name: the name of the array.
        shape: its shape.
        dtype: the type of its values.
    """

    archive: zipfile.ZipFile
    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    @classmethod
    def of(cls, archive: zipfile.ZipFile, name: str) -> StoredArray:
        """Find an array by its name."""
        with archive.open(f"{name}.npy") as file:
            return cls(archive, name, *_header(file))

    def open(self) -> IO[bytes]:
        """Open the bytes of the array."""
        file = self.archive.open(f"{self.name}.npy")
        _header(file)
        return file

    def blocks(self) -> Iterator[Array]:
        """Yield the rows in blocks."""
        row_bytes = self.dtype.itemsize * int(np.prod(self.shape[1:], dtype=np.int64))
        rows = max(1, _BLOCK_BYTES // max(row_bytes, 1))
        with self.open() as file:
            for first in range(0, self.shape[0], rows):
                block = np.empty((min(rows, self.shape[0] - first), *self.shape[1:]), self.dtype)
                _fill(file, block, self.name)
                yield block

    def whole(self) -> Array:
        """Return the array as a whole."""
        result = np.empty(self.shape, self.dtype)
        with self.open() as file:
            _fill(file, result, self.name)
        return result


def _header(file: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[Any]]:
    np.lib.format.read_magic(file)
    shape, fortran_order, dtype = np.lib.format.read_array_header_1_0(file)
    if fortran_order and len(shape) > 1:
        raise ValueError("an array in the order of Fortran cannot be read in blocks")
    return shape, dtype


def _fill(file: IO[bytes], array: Array, name: str) -> None:
    left = array.reshape(-1).view(np.uint8).data
    while left.nbytes:
        read = file.read(min(left.nbytes, _BLOCK_BYTES))
        if not read:
            raise EOFError(f"{name} ends {left.nbytes:,} bytes before its end")
        left[: len(read)] = read
        left = left[len(read) :]
