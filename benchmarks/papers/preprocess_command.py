"""Preprocessing in a process of its own: TFX takes long to load, and much memory."""

from __future__ import annotations

from pathlib import Path

import typer

from benchmarks.papers.boosting import prepare_boosting
from benchmarks.papers.preprocessing import preprocess
from benchmarks.papers.sources import SOURCES


def main(dataset: str, logs: Path, folder: Path, boosting: bool) -> None:
    """Leaves transformed examples in the folder, and columns for gradient boosting if asked for."""
    source = SOURCES[dataset]
    spec = source.spec()
    preprocess(spec, logs, folder)
    if boosting:
        prepare_boosting(spec, folder, source.identifiers)


if __name__ == "__main__":
    typer.run(main)
