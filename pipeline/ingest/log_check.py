"""A check before the heavy work: the logs exist and have the columns that the spec names."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

from feature_spec.logs.source import Source
from feature_spec.strict_model import closest_names
from pipeline.ingest.accounting.rejection import UnusableLineError
from pipeline.ingest.formats.file_content import content_chunks
from pipeline.ingest.formats.readers import READERS, StoredFile
from pipeline.ingest.formats.record_batch import NumberedRecord
from pipeline.ingest.settings.ingest_config import IngestSettings
from pipeline.ingest.sources.files import InputFiles, LogFile, found_files

# JSON lines may leave columns out, so a rare column may turn up late. Usually the first lines have
# all columns.
_LINES_AT_MOST = 1_000_000


def check_logs(settings: IngestSettings, folder: str) -> InputFiles:
    """Find the files of every source, and look for every column that the spec names.

    Args:
        settings: the spec's rules.
        folder: the logs folder.

    Returns:
        the files of the log and its side tables.

    Raises:
        ValueError: patterns match no file, or columns are nowhere. The message names the place of
            each in the spec and the closest names.
    """
    files, of_files = found_files(settings, folder)
    problems = []
    for table, source in settings.sources.items():
        if source.connector is None and not files.sources[table]:
            continue
        if source.connector is not None and source.columns is None:
            continue  # its columns show when it is read
        needed = settings.columns_of(table)
        seen: set[str] = set()
        twice: set[str] = set()
        for columns in _columns(source, files.sources[table], settings.logs.max_line_bytes):
            seen.update(columns)
            twice.update(column for column in needed if columns.count(column) > 1)
            if needed.keys() <= seen:
                break
        where = source.text
        problems += [
            f"  {needed[column]}: column {column!r} occurs more than once in a file of {where}"
            for column in sorted(twice)
        ]
        if seen:
            problems += [
                f"  {place}: no column {column!r} in {where}: {closest_names(column, seen)}"
                for column, place in sorted(needed.items()) if column not in seen
            ]  # fmt: skip
        elif settings.day is None or table in settings.logs.tables or _has_content(files, table):
            first = _first_problem(source, files.sources[table], settings.logs.max_line_bytes)
            problems.append(f"  {where}: no line can be read as {source.format}{first}")
    if of_files and not problems:
        raise ValueError("\n".join(of_files))
    problems = [f"  {problem}" for problem in of_files] + problems
    if problems:
        raise ValueError("\n".join([f"the logs in {folder} are not as the spec says", *problems]))
    return files


def _has_content(files: InputFiles, source: str | None) -> bool:
    """Return whether there is anything in files; those of a day may be empty."""
    return any(_first_bytes(file) for file in files.sources[source])


def _first_bytes(file: LogFile) -> bytes:
    try:
        with file.open() as opened:
            return next(filter(None, content_chunks(opened, file.name)), b"")
    except OSError as error:  # reported when the file is read
        return str(error).encode()


def _columns(source: Source, files: Sequence[LogFile], max_line_bytes: int) -> Iterator[list[str]]:
    """Yield column names, of each file or of each record; skip what cannot be read."""
    if source.columns is not None:
        yield source.columns
        return
    read_columns = READERS[str(source.format)].columns
    if read_columns is None:
        whole = (
            list(record)
            for file in files
            for _, _, record in _lines(file, source, max_line_bytes)
            if not isinstance(record, UnusableLineError)
        )
        yield from islice(whole, _LINES_AT_MOST)
    else:
        for file in files:
            try:
                with file.open() as opened:
                    yield read_columns(StoredFile(opened, file.name, source, max_line_bytes))
            except (OSError, UnusableLineError):
                continue  # reported when the file is read


def _lines(file: LogFile, source: Source, max_line_bytes: int) -> Iterator[NumberedRecord]:
    for batch in file.batches(source, max_line_bytes):
        yield from batch.lines()


def _first_problem(source: Source, files: Sequence[LogFile], max_line_bytes: int) -> str:
    for file in files:
        for line, _, problem in _lines(file, source, max_line_bytes):
            if isinstance(problem, UnusableLineError):
                return f"; {file.name}, line {line}: {problem.detail}"
    return ""
