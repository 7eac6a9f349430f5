"""Preprocessing in a process of its own, because TFX takes long to load and much memory."""

from __future__ import annotations

from pathlib import Path

import typer

from benchmarks.papers.boosting import prepare_boosting
from benchmarks.papers.data_sets.sources import SOURCES
from benchmarks.papers.preprocessing import preprocess


def main(dataset: str, logs: Path, folder: Path, boosting: bool) -> None:
    """Write transformed examples into the folder, and columns for gradient boosting on request."""
    source = SOURCES[dataset]
    spec = source.spec()
    preprocess(spec, logs, folder)
    if boosting:
        prepare_boosting(spec, folder, source.identifiers)


if __name__ == "__main__":
    typer.run(main)
