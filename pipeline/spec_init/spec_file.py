"""Writing a proposed spec: only one that is valid."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from feature_spec.loading import parse_spec
from pipeline.spec_init.input_files import common_folder, files_below, log_files, patterns_of
from pipeline.spec_init.proposal import proposal
from pipeline.spec_init.spec_text import spec_text


class WrittenSpec(NamedTuple):
    """A spec that was written.

    Attributes:
        folder: the folder that its paths are relative to.
        fields, tasks: how many it has.
        decisions: the number of lines with something to decide.
    """

    folder: Path
    fields: int
    tasks: int
    decisions: int


def write_spec(
    logs: Sequence[Path],
    tables: Mapping[str, Path],
    columns: Mapping[str | None, Sequence[str]],
    *,
    name: str,
    out: Path,
) -> WrittenSpec:
    """Look at files, and write a feature spec for them.

    Args:
        logs: files of the log, or folders of them.
        tables: side tables by name.
        columns: names for the columns of CSV files without a header, by table; None for the log.
        name: the name of the spec.
        out: the file to write.

    Raises:
        ValueError: the files cannot be read, or a side table cannot be joined to the log.
    """
    of_log = log_files(logs, list(tables.values()))
    paths: dict[str | None, list[Path]] = {None: of_log}
    paths |= {table: log_files([file]) for table, file in tables.items()}
    folder = common_folder([path for some in paths.values() for path in some])
    files = {source: files_below(folder, some) for source, some in paths.items()}
    patterns = {source: patterns_of(folder, some) for source, some in files.items()}
    near = Path(os.path.relpath(folder))
    folder = folder if ".." in near.parts else near
    text = spec_text(proposal(files, patterns, columns), name, str(out), str(folder))
    spec = parse_spec(text, str(out))
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(text, encoding="utf-8")
    return WrittenSpec(
        folder=folder,
        fields=len(spec.fields),
        tasks=len(spec.tasks),
        decisions=sum("decide" in line for line in text.splitlines()[1:]),
    )
