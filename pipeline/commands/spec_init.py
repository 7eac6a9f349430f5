"""`fulcrum spec init`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from feature_spec.commands import spec_app
from pipeline.commands.run_options import failed


@spec_app.command("init")
def spec_init(
    logs: Annotated[
        list[Path],
        typer.Argument(
            help="Files of the log, or folders of them: CSV, JSON lines, Parquet, Avro or "
            "TFRecords, plain, .gz or .bz2.",
            metavar="LOG…",
        ),
    ],
    out: Annotated[Path, typer.Option(help="File for the spec, which must not exist yet.")],
    table: Annotated[
        list[str] | None,
        typer.Option(
            "--table",
            metavar="NAME=FILE",
            help="A side table, such as items=items.csv. May be repeated.",
        ),
    ] = None,
    columns: Annotated[
        list[str] | None,
        typer.Option(
            "--columns",
            metavar="[NAME=]A,B,…",
            help="Names of the columns of a log, or of a side table, without a header. May be "
            "repeated.",
        ),
    ] = None,
) -> None:
    """Look at files, and write a feature spec for them that checks and runs as it is.

    Proposes fields, keys, the event time, tasks, a split and a ranking formula. Remarks in the file
    say what was seen, and "decide" marks what only you can know. At most some thousand lines are
    read, from several places.

    Example: fulcrum spec init u.data --table items=u.item --table users=u.user --out my.yaml
    """
    from rich.console import Console

    from feature_spec.names import usable_name
    from pipeline.spec_init.spec_file import write_spec

    try:
        tables = {name: Path(file) for name, file in map(_pair, table or [])}
        names = {
            one.partition("=")[0] if "=" in one else None: one.rpartition("=")[2].split(",")
            for one in columns or []
        }
        unknown = [name for name in names if name is not None and name not in tables]
        if unknown:
            raise ValueError(f"--columns {unknown[0]}=…: there is no --table {unknown[0]}=FILE")
        if out.exists():
            raise ValueError(f"--out {out}: the file is there; give another, or move it away")
        name = usable_name("tasks", out.stem).lower()
        written = write_spec(logs, tables, names, name=name, out=out)
    except (OSError, ValueError) as error:
        raise failed(error) from error
    console = Console(highlight=False, soft_wrap=True)
    console.print(
        f"{out}: {written.fields} fields, {written.tasks} tasks; {written.decisions} lines with "
        "something to decide",
        markup=False,
    )
    console.print(f"next: fulcrum spec check {out} --logs {written.folder}", markup=False)


def _pair(text: str) -> tuple[str, str]:
    name, equals, file = text.partition("=")
    if not equals or not name or not file:
        raise ValueError(f"--table {text}: give NAME=FILE, such as items=items.csv")
    return name, file
