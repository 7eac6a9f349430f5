"""The files of a log and its side tables.

Folders with a scheme, such as ``gs://``, are read through Beam.
"""

from __future__ import annotations

import dataclasses
import datetime
import difflib
import fnmatch
import glob
import os
from collections.abc import Iterable, Iterator
from typing import BinaryIO

from feature_spec.logs.logs import ACTIONS
from feature_spec.logs.source import Source
from feature_spec.names import is_uri
from feature_spec.strict_model import closest_names
from pipeline.ingest.formats.readers import READERS, StoredFile
from pipeline.ingest.formats.record_batch import RecordBatch, unreadable_batch
from pipeline.ingest.settings.ingest_config import IngestSettings

_NAMES_SHOWN = 10


@dataclasses.dataclass(frozen=True, order=True)
class LogFile:
    """A file of a source.

    Attributes:
        path: the place of the file.
        name: the path relative to the logs folder.
        size_bytes: the stored size.
        day: the day that the file belongs to; None where all days are ingested.
    """

    path: str
    name: str
    size_bytes: int
    day: datetime.date | None = None

    def open(self) -> BinaryIO:
        """Open the stored bytes.

        Raises:
            OSError: the file cannot be opened.
        """
        if not is_uri(self.path):
            return open(self.path, "rb")
        from apache_beam.io.filesystem import CompressionTypes
        from apache_beam.io.filesystems import FileSystems

        return FileSystems.open(self.path, compression_type=CompressionTypes.UNCOMPRESSED)

    def batches(self, source: Source, max_line_bytes: int) -> Iterator[RecordBatch]:
        """Yield every line or row once, as a record or with its problem.

        Args:
            source: the source in the spec that the file belongs to.
            max_line_bytes: a longer line is unusable.
        """
        try:
            opened = self.open()
        except OSError as error:
            yield unreadable_batch(1, f"cannot be opened: {error}")
            return
        with opened:
            file = StoredFile(opened, self.name, source, max_line_bytes)
            yield from READERS[str(source.format)].batches(file)


@dataclasses.dataclass(frozen=True)
class InputFiles:
    """The files of each source, sorted by name.

    Attributes:
        sources: files by side table, with the exposure log under None. A source that a connector
            reads has no files.
        evaluation: the names of the exposure files that judge the model (`split.evaluation_files`).
        neighbours: the files of event logs on the days around the ingested day.
    """

    sources: dict[str | None, list[LogFile]]
    evaluation: frozenset[str]
    neighbours: dict[str | None, list[LogFile]] = dataclasses.field(default_factory=dict)

    def with_neighbours(self, source: str | None) -> list[LogFile]:
        """Return the files of a source and of neighbouring days, in the order of the days."""
        return sorted(
            [*self.sources[source], *self.neighbours.get(source, [])],
            key=lambda file: (file.day or datetime.date.min, file),
        )


def find_input_files(settings: IngestSettings, folder: str) -> InputFiles:
    """Match the patterns of the spec below `folder`.

    Raises:
        ValueError: a pattern matches no file, or a file belongs to two sources. The message names
            each such pattern, the folder and the closest files.
    """
    files, problems = found_files(settings, folder)
    if problems:
        raise ValueError("\n".join(problems))
    return files


def found_files(settings: IngestSettings, folder: str) -> tuple[InputFiles, list[str]]:
    """Match the patterns of the spec below `folder`; also return every problem with them.

    Raises:
        ValueError: there is no such folder.
    """
    if not is_uri(folder) and not os.path.isdir(folder):
        raise ValueError(f"no such folder: {folder}")
    problems: list[str] = []
    sources: dict[str | None, list[LogFile]] = {}
    owners: dict[str, tuple[str, Source]] = {}
    for table, source in settings.sources.items():
        place = f"{settings.place_of(table)}.path"
        found: set[LogFile] = set()
        for pattern in source.path:
            try:
                files = _match_some(folder, pattern, place)
            except ValueError as error:
                problems.append(str(error))
                continue
            found |= {dataclasses.replace(file, day=settings.day) for file in files}
        for file in found:
            first_place, first = owners.setdefault(file.name, (place, source))
            if first_place != place and not (first.where and source.where):
                problems.append(
                    f"{file.name} in {folder} is matched by {first_place} and by {place}; a file "
                    "belongs to one source, unless 'where' of both tells whose a line is"
                )
        sources[table] = sorted(found)

    evaluation: set[str] = set()
    names = [file.name for file in sources[None]]
    for pattern in (settings.split.evaluation_files or []) if settings.day is None else []:
        matched = fnmatch.filter(names, pattern)
        if not matched and names:
            hint = closest_names(pattern, names)
            problems.append(
                f"split.evaluation_files: {pattern!r} matches no exposure file in {folder}: {hint}"
            )
        evaluation.update(matched)
    return InputFiles(
        sources=sources, evaluation=frozenset(evaluation), neighbours=_neighbours(settings, folder)
    ), problems


def any_file(folder: str, patterns: Iterable[str]) -> bool:
    """Return whether one of the patterns matches a file below `folder`."""
    return any(_match(folder, pattern) for pattern in patterns)


def _neighbours(settings: IngestSettings, folder: str) -> dict[str | None, list[LogFile]]:
    """Find the files of the days around. There may be none: logs begin and end somewhere."""
    files: dict[str | None, list[LogFile]] = {None: [], ACTIONS: []}
    for neighbour in settings.neighbouring_days:
        for log, patterns in ((None, neighbour.impressions), (ACTIONS, neighbour.actions)):
            found = {file for pattern in patterns for file in _match(folder, pattern)}
            files[log] += [dataclasses.replace(file, day=neighbour.day) for file in found]
    return files


def _match_some(folder: str, pattern: str, place: str) -> list[LogFile]:
    files = _match(folder, pattern)
    if not files:
        there = [file.name for depth in ("*", "*/*") for file in _match(folder, depth)]
        # All names of a large folder would bury the message.
        close = (
            difflib.get_close_matches(pattern, there, n=_NAMES_SHOWN, cutoff=0.3)
            or there[:_NAMES_SHOWN]
        )
        hint = closest_names(pattern, close) if close else "the folder has no files"
        raise ValueError(f"{place}: {pattern!r} matches no file in {folder}: {hint}")
    return files


def _match(folder: str, pattern: str) -> list[LogFile]:
    """Return the files below `folder` that match. `*` does not cross folders."""
    if is_uri(folder):
        from apache_beam.io.filesystems import FileSystems

        (result,) = FileSystems.match([FileSystems.join(folder, pattern)])
        base = folder.rstrip("/") + "/"
        return [
            LogFile(found.path, found.path.removeprefix(base), found.size_in_bytes)
            for found in result.metadata_list
        ]
    paths = glob.glob(pattern, root_dir=folder)
    files = [
        (os.path.join(folder, path), path)
        for path in paths
        if os.path.isfile(os.path.join(folder, path))
    ]
    return [LogFile(path, name, os.path.getsize(path)) for path, name in files]
