"""Whether the logs are there and have the columns that the spec names, before the heavy work starts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

import pyarrow as pa
import pyarrow.parquet as pq

from feature_spec.logs.logs import Source
from feature_spec.strict_model import closest_names
from pipeline.ingest.accounting.rejection import UnusableLineError
from pipeline.ingest.formats.avro import avro_columns
from pipeline.ingest.formats.decompression import content_chunks
from pipeline.ingest.formats.lines import numbered_lines
from pipeline.ingest.settings.ingest_config import IngestSettings
from pipeline.ingest.sources.files import InputFiles, LogFile, find_input_files
from pipeline.ingest.sources.records import read_header, read_records

# JSON lines leave columns out, so that a rare one may turn up late. Usually the first lines have
# all of them.
_LINES_AT_MOST = 1_000_000


def check_logs(settings: IngestSettings, folder: str) -> InputFiles:
    """Finds the files of every source and looks for every column that the spec names.

    Args:
        settings: the spec's rules.
        folder: the logs folder.

    Returns:
        the files of the log and its side tables.

    Raises:
        ValueError: a pattern matches no file, or a column is nowhere. Names the place in the spec
            and the closest names.
    """
    files = find_input_files(settings, folder)
    problems = []
    for table, source in settings.sources.items():
        if source.connector is not None and source.columns is None:
            continue  # which columns there are shows when it is read
        needed = settings.columns_of(table)
        seen: set[str] = set()
        for columns in _columns(source, files.sources[table], settings.logs.max_line_bytes):
            seen.update(columns)
            if needed.keys() <= seen:
                break
        where = source.text
        if seen:
            problems += [
                f"  {place}: no column {column!r} in {where}: {closest_names(column, seen)}"
                for column, place in sorted(needed.items()) if column not in seen
            ]  # fmt: skip
        else:
            first = _first_problem(source, files.sources[table], settings.logs.max_line_bytes)
            problems.append(f"  {where}: no line can be read as {source.format}{first}")
    if problems:
        raise ValueError("\n".join([f"the logs in {folder} are not as the spec says", *problems]))
    return files


def _columns(source: Source, files: Sequence[LogFile], max_line_bytes: int) -> Iterator[list[str]]:
    """The columns of each line, of each header or of each Parquet file. What cannot be read is reported when it is its turn."""
    if source.columns is not None:
        yield source.columns
    elif source.format in ("jsonl", "tfrecord"):  # in which rows tell of their columns
        records = (
            record for file in files for _, _, record in read_records(file, source, max_line_bytes)
        )
        whole = (list(record) for record in records if not isinstance(record, UnusableLineError))
        yield from islice(whole, _LINES_AT_MOST)
    else:
        for file in files:
            try:
                with file.open() as opened:
                    if source.format == "parquet":
                        yield pq.ParquetFile(opened).schema_arrow.names
                    elif source.format == "avro":
                        yield avro_columns(opened)
                    else:
                        lines = numbered_lines(content_chunks(opened, file.name), max_line_bytes)
                        yield read_header(lines, source.delimiter)
            except (OSError, pa.ArrowException, UnusableLineError):
                continue


def _first_problem(source: Source, files: Sequence[LogFile], max_line_bytes: int) -> str:
    for file in files:
        for line, _, problem in read_records(file, source, max_line_bytes):
            if isinstance(problem, UnusableLineError):
                return f"; {file.name}, line {line}: {problem.detail}"
    return ""
