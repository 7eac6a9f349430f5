"""Lookup of runs by their names on the command line: a root, a run of a root, or a report."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from pipeline.report.data.load_run import load_run
from pipeline.report.data.mlmd_runs import NoSuchRunError, recorded_run
from pipeline.report.data.run_data import RunData
from pipeline.report.elements.page import run_of_page
from pipeline.workspace.root import Root

# In the folder of a Report artifact.
_REPORT = "report.html"


def find_run(name: str, number: int | None = None) -> RunData:
    """Return a run of a root.

    Args:
        name: the folder of the root.
        number: the number of the run, counted from 1; None for the last run.

    Raises:
        NoSuchRunError: the root has no such run.
    """
    run = recorded_run(Path(name), number)
    return load_run(
        run.outputs,
        name=name,
        spec_name=run.spec,
        began=run.began,
        version=run.version,
        failure=run.failure,
    )


def find_runs(names: Sequence[str]) -> list[RunData]:
    """Return at least two runs, each named by its model and the time at which it began.

    Runs that share both are told apart by their places.

    Args:
        names: names of runs: ``ROOT``, ``ROOT@NUMBER``, the file of a report, or a folder that
            holds a report.html and is not a root.

    Raises:
        NoSuchRunError: a name does not name a run, or there is only one name.
        pipeline.report.elements.page.NoReportError: a file is not the report of one run.
    """
    if len(names) < 2:
        raise NoSuchRunError(f"a comparison needs at least two runs, received {len(names)}")
    repeated = {name for name in names if list(names).count(name) > 1}
    if repeated:
        raise NoSuchRunError(f"the same run is named more than once: {', '.join(sorted(repeated))}")
    runs = [dataclasses.replace(_read(name), place=name) for name in names]
    titles = [f"{run.model or 'no model'}, {run.began_text}" for run in runs]
    return [
        dataclasses.replace(
            run, name=f"{title} ({run.place})" if titles.count(title) > 1 else title
        )
        for run, title in zip(runs, titles, strict=True)
    ]


def _read(name: str) -> RunData:
    path = Path(name)
    if path.is_file():
        return run_of_page(path)
    if path.is_dir():
        is_report = (path / _REPORT).is_file() and not Root(path).metadata.exists()
        return run_of_page(path / _REPORT) if is_report else find_run(name)
    root, at, number = name.rpartition("@")
    if at and number.isdecimal() and Path(root).is_dir():
        return find_run(root, int(number))
    raise NoSuchRunError(
        f"{name} is neither a pipeline root, nor ROOT@NUMBER for one of its runs, nor the file "
        "of a report"
    )
