"""`fulcrum rejects`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    import pyarrow as pa


def rejects(
    root: Annotated[
        Path,
        typer.Option(help="Folder given to `fulcrum run --root`.", exists=True, file_okay=False),
    ],
    reason: Annotated[
        str | None, typer.Option(help="Only lines with this reason, listed one by one.")
    ] = None,
    source: Annotated[
        str | None,
        typer.Option(
            help="Only lines of files whose path matches this glob pattern, listed one by one."
        ),
    ] = None,
    limit: Annotated[int, typer.Option(help="How many lines to list.", min=1)] = 20,
) -> None:
    """Browse the lines that the latest ingestion could not use, also where they stopped the run.

    Without a filter, the command counts the lines that each reason took from each file, with an
    example. With a filter, it lists the lines themselves.

    Example: fulcrum rejects --root root --reason malformed --limit 5
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    from feature_spec.logs.logs import RejectionReason
    from feature_spec.strict_model import closest_names
    from pipeline.ingest.accounting.rejects import latest_rejects

    if reason is not None and reason not in list(RejectionReason):
        raise _failed(
            f"--reason {reason!r}: no such reason: "
            f"{closest_names(reason, [str(one) for one in RejectionReason])}"
        )
    try:
        folder, lines = latest_rejects(root)
    except OSError as error:
        raise _failed(str(error)) from error
    console = Console()
    if reason is not None:
        lines = lines.filter(pc.equal(lines["reason"], reason))
    if source is not None:
        import fnmatch

        lines = lines.filter(
            pa.array(
                [fnmatch.fnmatchcase(path, source) for path in lines["source"].to_pylist()],
                pa.bool_(),
            )
        )
    filtered = reason is not None or source is not None
    console.print(_listed(lines, limit) if filtered else _counted(lines))
    console.print(
        f"{lines.num_rows:,} rejected lines{' match' * filtered}; all of them: {folder}",
        soft_wrap=True,
        markup=False,
    )


def _counted(lines: pa.Table) -> Table:
    """Return the number of lines by reason and file, the largest first, with the first line."""
    groups = lines.group_by(["reason", "source"], use_threads=False).aggregate(
        [("offset", "count"), ("offset", "first"), ("detail", "first")]
    )
    table = Table("reason", "source")
    table.add_column("lines", justify="right")
    table.add_column("first at", justify="right")
    table.add_column("what is wrong there", overflow="fold")
    for group in groups.sort_by(
        [("offset_count", "descending"), ("reason", "ascending"), ("source", "ascending")]
    ).to_pylist():
        cells = (
            group["reason"],
            group["source"],
            f"{group['offset_count']:,}",
            f"{group['offset_first']:,}",
            group["detail_first"],
        )
        table.add_row(*map(Text, cells))
    return table


def _listed(lines: pa.Table, limit: int) -> Table:
    table = Table("source")
    table.add_column("line", justify="right")
    table.add_column("reason")
    table.add_column("what is wrong", overflow="fold")
    table.add_column("begins with", overflow="fold")
    for line in lines.slice(0, limit).to_pylist():
        cells = (line["source"], f"{line['offset']:,}", line["reason"], line["detail"], line["raw"])
        table.add_row(*map(Text, cells))
    return table


def _failed(message: str) -> typer.Exit:
    Console(stderr=True).print(Text.assemble(("Error:", "red"), f" {message}"), soft_wrap=True)
    return typer.Exit(1)
