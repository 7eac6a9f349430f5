"""`fulcrum report` and `fulcrum compare`."""

from __future__ import annotations

import webbrowser
from pathlib import Path
from typing import Annotated

import typer

from feature_spec.output_file import writable_file


def report(
    root: Annotated[
        Path, typer.Option(help="Folder of `fulcrum run --root`.", exists=True, file_okay=False)
    ],
    run: Annotated[
        int | None, typer.Option(help="Which run, counted from 1.", min=1, show_default="the last")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="File to write.",
            dir_okay=False,
            callback=writable_file,
            show_default="report.html in the root",
        ),
    ] = None,
    open_: Annotated[bool, typer.Option("--open", help="Show it in the browser.")] = False,
) -> None:
    """Write the report of a run: one HTML file that needs no network.

    The report shows whether the model was blessed, and if not, why; metrics of each task against
    the serving model and the task trained alone; slices, calibration, training curves, experts and
    the ranking formula; and what became of every line of the logs. The report of a failed run shows
    what there is.

    Example: fulcrum report --root runs/first --open
    """
    from pipeline.report.data.mlmd_runs import NoSuchRunError
    from pipeline.report.run_lookup import find_run
    from pipeline.report.run_report import run_report

    try:
        page = run_report(find_run(str(root), run))
    except (NoSuchRunError, OSError) as error:
        raise _failed(error) from error
    _write(page, out or root / "report.html", open_)


def compare(
    runs: Annotated[
        list[str],
        typer.Argument(
            metavar="RUN RUN…",
            help="Pipeline roots (ROOT is its last run, ROOT@2 its second), or reports of runs.",
        ),
    ],
    out: Annotated[
        Path, typer.Option(help="File to write.", dir_okay=False, callback=writable_file)
    ] = Path("comparison.html"),
    open_: Annotated[bool, typer.Option("--open", help="Show it in the browser.")] = False,
) -> None:
    """Put several runs side by side in one HTML file that needs no network.

    The first run is what the others are compared with.

    Example: fulcrum compare runs/first@1 runs/first@2 runs/wider/report.html --open
    """
    from pipeline.report.comparison import comparison
    from pipeline.report.data.mlmd_runs import NoSuchRunError
    from pipeline.report.elements.page import NoReportError
    from pipeline.report.run_lookup import find_runs

    try:
        page = comparison(find_runs(runs))
    except (NoSuchRunError, NoReportError, OSError) as error:
        raise _failed(error) from error
    _write(page, out, open_)


def _write(page: str, out: Path, is_shown: bool) -> None:
    try:
        out.write_text(page, encoding="utf-8")
    except OSError as error:
        raise _failed(ValueError(f"{out}: cannot be written: {error.strerror}")) from error
    typer.echo(f"wrote {out} ({len(page) / 1e6:.1f} MB)")
    if is_shown and not webbrowser.open(out.resolve().as_uri()):
        typer.echo(f"no browser could be opened; open {out.resolve().as_uri()}", err=True)


def _failed(error: Exception) -> typer.Exit:
    typer.echo(f"Error: {error}", err=True)
    return typer.Exit(1)
