"""Vocabularies as Transform stores them: lines of text, read in blocks."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from functools import cached_property, partial
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa

# Enough for fast reading, few enough for memory.
_BLOCK_BYTES = 1 << 22
_LINE_END = b"\n"


class Readable(Protocol):
    """An open file."""

    def read(self, size: int, /) -> bytes:
        """Return up to `size` bytes; none at the end."""


class _Sizes(NamedTuple):
    entries: int
    text_bytes: int


class Vocabulary:
    """The entries of a vocabulary, in the order of their rows.

    Transform leaves values with line breaks out, so each entry is a line. Millions of entries take
    a tenth of the memory as text that they take as Python objects.

    Args:
        open_text: opens the text of the entries.
    """

    def __init__(self, open_text: Callable[[], AbstractContextManager[Readable]]) -> None:
        self._open_text = open_text

    @classmethod
    def of_file(cls, path: str) -> Vocabulary:
        """Return the vocabulary in a file, whose name may be a URI."""
        import tensorflow as tf

        return cls(partial(tf.io.gfile.GFile, path, "rb"))

    @classmethod
    def of_entries(cls, entries: Iterable[bytes]) -> Vocabulary:
        """Return a vocabulary of a few entries."""
        text = b"".join(entry + _LINE_END for entry in entries)
        return cls(lambda: io.BytesIO(text))

    def __len__(self) -> int:
        return self._sizes.entries

    def blocks(self) -> Iterator[bytes]:
        """Yield the text in blocks of whole lines, each line with its end."""
        rest = b""
        with self._open_text() as file:
            while block := file.read(_BLOCK_BYTES):
                whole, end, after = block.rpartition(_LINE_END)
                if end:
                    yield b"".join((rest, whole, end))
                    rest = after
                else:
                    rest += after
        if rest:
            yield rest + _LINE_END

    @property
    def text_bytes(self) -> int:
        """The length of the text, whose last line has its end, too."""
        return self._sizes.text_bytes

    @cached_property
    def _sizes(self) -> _Sizes:
        sizes = [(block.count(_LINE_END), len(block)) for block in self.blocks()]
        return _Sizes(*(sum(column) for column in zip(*sizes, strict=True)) if sizes else (0, 0))

    def lines(self) -> pa.LargeBinaryArray:
        """Return all entries, each with its line end."""
        text = np.empty(self.text_bytes, np.uint8)
        first = 0
        for block in self.blocks():
            text[first : first + len(block)] = np.frombuffer(block, np.uint8)
            first += len(block)
        return lines_of(text)

    def blocks_of_lines(self) -> Iterator[tuple[int, pa.LargeBinaryArray]]:
        """Yield the place of the first entry of each block, and its entries with line ends."""
        first = 0
        for block in self.blocks():
            lines = lines_of(np.frombuffer(block, np.uint8))
            yield first, lines
            first += len(lines)


def lines_of(text: npt.NDArray[np.uint8]) -> pa.LargeBinaryArray:
    """Return the lines of a text, each with its end, which share the memory of the text."""
    ends = np.flatnonzero(text == ord(_LINE_END))
    offsets = np.zeros(len(ends) + 1, np.int64)
    np.add(ends, 1, out=offsets[1:])
    buffers: list[Any] = [None, pa.py_buffer(offsets), pa.py_buffer(text)]
    return pa.LargeBinaryArray.from_buffers(pa.large_binary(), len(ends), buffers)
