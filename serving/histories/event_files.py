"""Events from files: JSON lines or CSV, as logged, with the fields of side tables joined."""

from __future__ import annotations

import bz2
import contextlib
import csv
import gzip
import json
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

from feature_spec.logs.log_values import UnusableLineError, event_reader, text_reader
from feature_spec.logs.logs import RejectionReason
from feature_spec.logs.source import UTF_8, Source
from feature_spec.spec import FeatureSpec
from serving.histories.history_event import HistoryEvent, Kind
from serving.histories.store import HistoryStoreError

STANDARD_INPUT = "-"
_OPENERS = {".gz": gzip.open, ".bz2": bz2.open}


def read_events(
    file: str, max_line_bytes: int, kind: Kind | None = None, source: Source | None = None
) -> Iterator[HistoryEvent | UnusableLineError]:
    """Yield the events of a file, or the reason why a line is none.

    Args:
        file: JSON lines as `HistoryEvent.from_json` reads them, or CSV if the name says so; either
            may end in ``.gz`` or ``.bz2``. ``-`` is JSON lines of the standard input.
        max_line_bytes: the largest size of a line of JSON.
        kind: the kind of events that do not tell theirs.
        source: what the spec says of the log: encoding, and of CSV the delimiter and the columns.
            By default UTF-8, commas and a header line.

    Raises:
        HistoryStoreError: the file cannot be read.
    """
    plain = file.removesuffix(Path(file).suffix) if Path(file).suffix in _OPENERS else file
    encoding = UTF_8 if source is None else source.encoding
    with _opened(file, encoding) as lines:
        if plain.endswith(".csv"):
            rows = csv.DictReader(lines) if source is None else _csv_rows(lines, source)
            for row in rows:
                yield _event_of_row(row, kind, encoding)
            return
        for line in lines:
            try:
                event = _event_of_line(line.rstrip("\r\n"), max_line_bytes, encoding)
                yield event if event.kind is not None else replace(event, kind=kind)
            except UnusableLineError as error:
                yield error


def keeps(source: Source, columns: Mapping[str, Any], missing: Collection[str]) -> bool:
    """Return whether `where` of a source keeps a line.

    Raises:
        UnusableLineError: a condition cannot read its column.
    """
    return all(
        event_reader(column, values, missing)(columns.get(column))
        for column, values in source.where.items()
    )


def _event_of_line(line: str, max_line_bytes: int, encoding: str) -> HistoryEvent:
    encoded = line.encode(errors="surrogateescape")
    if not encoded.strip():
        raise UnusableLineError(RejectionReason.EMPTY_LINE, "an empty line")
    if len(encoded) > max_line_bytes:
        raise UnusableLineError(
            RejectionReason.LINE_TOO_LONG, f"{len(encoded):,} bytes, at most {max_line_bytes:,}"
        )
    if not _is_decoded(line):
        raise UnusableLineError(RejectionReason.WRONG_ENCODING, f"not {encoding.upper()}")
    return HistoryEvent.from_json(line)


def _event_of_row(
    row: dict[str, Any], kind: Kind | None, encoding: str
) -> HistoryEvent | UnusableLineError:
    if None in row or None in row.values():
        detail = f"another number of values than there are columns: {row}"
        return UnusableLineError(RejectionReason.MALFORMED, detail)
    if not all(map(_is_decoded, row.values())):
        return UnusableLineError(RejectionReason.WRONG_ENCODING, f"not {encoding.upper()}")
    return HistoryEvent(columns=row, kind=kind)


def _is_decoded(text: str) -> bool:
    """Return whether a text was decoded without escapes for bytes that are not of the encoding."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


class SideTables:
    """The rows of side tables that histories read, by key.

    Args:
        spec: the spec, whose side tables are files of JSON lines or CSV.
        folder: the folder of the logs.

    Raises:
        HistoryStoreError: a table cannot be read here.
    """

    def __init__(self, spec: FeatureSpec, folder: Path) -> None:
        assert spec.histories is not None  # noqa: S101 (who has a store has histories)
        self._missing = frozenset(spec.logs.missing_values)
        used = {name for count in spec.histories.counts.values() for name in count.by}
        for sequence in spec.histories.sequences.values():
            used |= {*sequence.by, *sequence.fields}
        self._fields = {
            name: (spec.fields[name].table, spec.fields[name].column or name)
            for name in sorted(used)
            if spec.fields[name].table is not None
        }
        tables = {table for table, _ in self._fields.values() if table is not None}
        self._keys = {
            name: spec.logs.tables[name].exposure_key or spec.logs.tables[name].key
            for name in tables
        }
        self._rows = {
            name: self._read(folder, name, spec.logs.tables[name], spec.logs.tables[name].key)
            for name in tables
        }

    def joined(self, event: HistoryEvent) -> HistoryEvent:
        """Return an event with the fields of its side tables, where it does not give them."""
        fields = dict(event.fields)
        for name, (table, column) in self._fields.items():
            if name not in fields and table is not None:
                key = self._key(self._keys[table], event.columns)
                fields[name] = self._rows[table].get(key, {}).get(column) if key else None
        return replace(event, fields=fields)

    def _key(self, column: str, values: Mapping[str, Any]) -> bytes | None:
        try:
            return text_reader(column, self._missing)(values.get(column))
        except UnusableLineError:
            return None  # the store rejects the event

    def _keeps(self, table: Source, row: Mapping[str, Any]) -> bool:
        try:
            return keeps(table, row, self._missing)
        except UnusableLineError:
            return False  # ingestion rejects such a row

    def _read(
        self, folder: Path, name: str, table: Source, key: str
    ) -> dict[bytes, Mapping[str, Any]]:
        files = sorted(file for pattern in table.path for file in folder.glob(pattern))
        if table.format not in ("jsonl", "csv") or not files:
            raise HistoryStoreError(
                f"side table {name}: needs files of jsonl or csv in {folder}; received "
                f"{table.text} of format {table.format}, with {len(files)} files. Events may give "
                "the fields of side tables themselves, under 'fields'"
            )
        rows: dict[bytes, Mapping[str, Any]] = {}
        for file in files:
            with _opened(str(file), table.encoding) as lines:
                for row in _rows(lines, table):
                    text = self._key(key, row)
                    if text is not None and self._keeps(table, row):
                        rows.setdefault(text, row)
        return rows


def _rows(lines: Iterable[str], table: Source) -> Iterator[Mapping[str, Any]]:
    if table.format == "csv":
        yield from _csv_rows(lines, table)
        return
    for line in lines:
        with contextlib.suppress(ValueError):  # ingestion rejects such a line
            row = json.loads(line)
            if isinstance(row, dict):
                yield row


def _csv_rows(lines: Iterable[str], source: Source) -> csv.DictReader[str]:
    return csv.DictReader(lines, source.columns, delimiter=source.delimiter)


@contextlib.contextmanager
def _opened(file: str, encoding: str) -> Iterator[IO[str]]:
    if file == STANDARD_INPUT:
        yield sys.stdin
        return
    try:
        opener: Any = _OPENERS.get(Path(file).suffix, open)
        # A byte order mark would belong to the name of the first column.
        encoding = "utf-8-sig" if encoding == UTF_8 else encoding
        # Bytes that are not of the encoding are told apart line by line.
        with opener(file, "rt", encoding=encoding, errors="surrogateescape", newline="") as lines:
            yield lines
    except (OSError, EOFError) as error:
        raise HistoryStoreError(f"{file}: cannot be read: {error}") from error
