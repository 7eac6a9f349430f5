"""Some lines of a file, from several places of it, as ingestion's own readers read them."""

from __future__ import annotations

import dataclasses
import datetime
import io
from collections.abc import Iterator, Sequence
from typing import BinaryIO, cast

import pyarrow as pa
import pyarrow.parquet as pq

from feature_spec.logs.source import Source
from feature_spec.names import is_uri
from pipeline.ingest.formats.readers import READERS, StoredFile
from pipeline.ingest.formats.record_batch import RecordBatch, unreadable_batch
from pipeline.ingest.formats.typed_formats import parquet_batches
from pipeline.ingest.sources.files import LogFile

# Places of a large file, evenly apart, from which lines are read; and files of a log.
_PLACES = 8
_MOST_FILES = 8
_FIRST_BYTES = 1 << 16
_READ_BYTES = 1 << 12
# A line longer than this is skipped while a place is looked for.
_LONGEST_SEARCH = 1 << 20


@dataclasses.dataclass
class SampledFile:
    """A file of which at most some lines are read; a `RecordSource`.

    Attributes:
        file: the file.
        most: the number of lines to read, about.
        lines: the lines read so far.
        read_share: the share of the file that these lines are, as far as bytes tell; 1 if all of it
            was read.
    """

    file: LogFile
    most: int
    lines: int = 0
    read_share: float = 0.0

    @property
    def name(self) -> str:
        """The path relative to the logs folder."""
        return self.file.name

    @property
    def day(self) -> datetime.date | None:
        """The day that the file belongs to; None where all days are ingested."""
        return self.file.day

    @property
    def about_lines(self) -> float:
        """The number of lines of the whole file: exact if all of it was read."""
        return self.lines / self.read_share if self.read_share else 0.0

    def batches(self, source: Source, max_line_bytes: int) -> Iterator[RecordBatch]:
        """Yield lines as records or with their problems, until there are enough."""
        self.lines, self.read_share = 0, 0.0
        try:
            opened = self.file.open()
        except OSError as error:
            self.lines, self.read_share = 1, 1.0
            yield unreadable_batch(1, f"cannot be opened: {error}")
            return
        with opened:
            for batch, share in self._read(opened, source, max_line_bytes):
                self.lines += len(batch.numbers) + len(batch.unusable)
                self.read_share = min(share, 1.0)
                yield batch
        if not self.lines:  # an empty file
            self.read_share = 1.0

    def _read(
        self, opened: BinaryIO, source: Source, max_line_bytes: int
    ) -> Iterator[tuple[RecordBatch, float]]:
        if source.format == "parquet":  # read by seeking, wherever it is
            yield from self._row_groups(opened, source, max_line_bytes)
            return
        if (
            source.format in ("jsonl", "csv")
            and not self.name.endswith((".gz", ".bz2"))
            and "\n".encode(source.encoding) == b"\n"  # not in UTF-16
            and not is_uri(self.file.path)
        ):
            pieces = text_pieces(opened, self.file.size_bytes, self.most, source.format == "csv")
            if pieces is not None:
                share = len(pieces) / max(self.file.size_bytes, 1)
                stored = StoredFile(io.BytesIO(pieces), self.name, source, max_line_bytes)
                for batch in READERS[str(source.format)].batches(stored):
                    yield batch, share
                return
        yield from self._from_the_start(opened, source, max_line_bytes)

    def _from_the_start(
        self, opened: BinaryIO, source: Source, max_line_bytes: int
    ) -> Iterator[tuple[RecordBatch, float]]:
        counted = _CountedBytes(opened)
        stored = StoredFile(cast(BinaryIO, counted), self.name, source, max_line_bytes)
        for batch in READERS[str(source.format)].batches(stored):
            is_enough = self.lines + len(batch.numbers) + len(batch.unusable) >= self.most
            if is_enough and counted.count < self.file.size_bytes:
                yield batch, counted.count / self.file.size_bytes
                return
            yield batch, 1.0

    def _row_groups(
        self, opened: BinaryIO, source: Source, max_line_bytes: int
    ) -> Iterator[tuple[RecordBatch, float]]:
        try:
            stored = pq.ParquetFile(opened).metadata
            rows, groups = stored.num_rows, stored.num_row_groups
        except (OSError, pa.ArrowException):  # told by the reader
            rows, groups = 0, 0
        if rows <= self.most:
            opened.seek(0)
            for batch in READERS["parquet"].batches(
                StoredFile(opened, self.name, source, max_line_bytes)
            ):
                yield batch, 1.0
            return
        chosen = evenly(range(groups), _PLACES)
        most, lines = max(self.most // len(chosen), 1), 0
        for group in chosen:
            of_group = 0
            for batch in parquet_batches(opened, [group]):
                of_group += len(batch.numbers)
                lines += len(batch.numbers)
                yield batch, lines / rows
                if of_group >= most:
                    break


class _CountedBytes:
    """A file that counts the bytes which were read of it."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.count = 0

    def read(self, size: int = -1) -> bytes:
        # Readers take more at once than a sample needs.
        content = self._file.read(min(size, _READ_BYTES) if size >= 0 else -1)
        self.count += len(content)
        return content


def chosen_files(
    files: Sequence[LogFile], lines: int, apart: frozenset[str] = frozenset()
) -> list[SampledFile]:
    """Return some files of a log, evenly apart, which share the lines to read.

    Args:
        files: all files.
        lines: the number of lines to read of all of them.
        apart: the names of files that judge the model, which are chosen by themselves.
    """
    groups = [
        [file for file in files if (file.name in apart) == judges] for judges in (False, True)
    ]
    chosen = [file for group in groups for file in evenly(group, _MOST_FILES)]
    return [SampledFile(file, max(lines // len(chosen), 1)) for file in chosen]


def evenly(things: Sequence, count: int) -> list:
    """Return at most `count` of some things, evenly apart, the first and the last among them."""
    if len(things) <= count:
        return list(things)
    last = len(things) - 1
    return [things[round(number * last / (count - 1))] for number in range(count)]


def text_pieces(file: BinaryIO, size: int, lines: int, in_quotes: bool) -> bytes | None:
    """Return whole lines from several places of a text, the first line among them.

    Args:
        file: the text, at its start.
        size: its size in bytes.
        lines: the number of lines to return, about.
        in_quotes: whether values in quotes may hold line feeds. A text with quotes has no places
            at which a line surely begins.

    Returns:
        the lines; None if the text has to be read from its start.
    """
    first = file.read(_FIRST_BYTES)
    per_line = len(first) / max(first.count(b"\n"), 1)
    each = max(int(lines / _PLACES * per_line), 1)
    if each * _PLACES * 2 >= size:  # nearly all of it
        file.seek(0)
        return None
    pieces = []
    for place in range(_PLACES):
        start, after = round((size - each) * place / (_PLACES - 1)), file.tell() if place else 0
        file.seek(max(start, after))
        if start > after:
            file.readline(_LONGEST_SEARCH)
        pieces.append(file.read(each) + file.readline(_LONGEST_SEARCH))
    if in_quotes and any(b'"' in piece for piece in pieces):
        file.seek(0)
        return None
    return b"".join(piece if piece.endswith(b"\n") else piece + b"\n" for piece in pieces if piece)
