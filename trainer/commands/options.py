"""Options that several of the trainer's commands have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from feature_spec.output_file import writable_file

ModelOption = Annotated[
    Path,
    typer.Option(
        help="A pipeline root, whose newest pushed model is taken, or a model's folder.",
        exists=True,
    ),
]

ExamplesOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="FILE",
        help="Gzipped TFRecords of ingested examples: a file, or a quoted glob. May be repeated. "
        "By default the newest evaluation split of the root.",
        show_default=False,
    ),
]

JsonOption = Annotated[
    Path | None,
    typer.Option(
        "--json", help="File for all numbers as JSON.", dir_okay=False, callback=writable_file
    ),
]
