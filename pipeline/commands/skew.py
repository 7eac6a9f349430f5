"""`fulcrum skew`."""

from __future__ import annotations

import dataclasses
import json
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from feature_spec.output_file import writable_file

_BEYOND = 1
# The code of wrong usage, so that a monitor tells skew from a comparison that was impossible.
_NOT_COMPARED = 2


def skew(
    spec: Annotated[
        str, typer.Option(help="Feature spec with skew.thresholds: a YAML file, or a ready one.")
    ],
    root: Annotated[
        Path,
        typer.Option(
            help="Pipeline root, whose newest training statistics are taken.",
            exists=True,
            file_okay=False,
        ),
    ],
    requests: Annotated[
        list[str],
        typer.Option(
            metavar="FILE",
            help="Request log, as the client writes it: a file, or a quoted glob. May be repeated.",
        ),
    ],
    json_file: Annotated[
        Path | None,
        typer.Option(
            "--json", help="File for all numbers as JSON.", dir_okay=False, callback=writable_file
        ),
    ] = None,
) -> None:
    """Compare served requests with the examples that the model was trained on, field by field.

    A field is beyond its threshold (the spec's section skew) if its distribution has changed since
    the training, or if serving computes it in another way than the logs. Either way the model sees
    values that it was not trained on. Beside it stand the shares of missing values, which
    skew.missing limits.

    Exit code: 0 within all thresholds; 1 beyond one; 2 wrong usage, or nothing to compare.

    Example: fulcrum skew --spec my.yaml --root runs/mine --requests 'request_log/*.tfrecord'
    """
    from rich.console import Console
    from rich.text import Text

    from feature_spec.loading import load_spec
    from pipeline.commands.run_options import beam_arguments
    from pipeline.run.local_run import console_of
    from pipeline.validate.distribution_shift import shifts_table
    from pipeline.validate.skew import missing_table
    from pipeline.validate.skew import skew as compare
    from pipeline.workspace.capture_output import capture_output

    try:
        files = _matching(requests)
        feature_spec = load_spec(spec)
        # Libraries print noise, and the root's own log may belong to a run under way.
        with tempfile.TemporaryDirectory() as folder, capture_output(Path(folder) / "log"):
            found = compare(feature_spec, root, files, beam_arguments([]))
    except ValueError as error:
        Console(stderr=True).print(Text.assemble(("Error:", "red"), f" {error}"), soft_wrap=True)
        raise typer.Exit(_NOT_COMPARED) from error
    console = console_of(sys.stdout)
    console.print(missing_table(found.missing))
    if found.fields:
        console.print(shifts_table("Served requests against the train split", found.fields))
    left_out = "".join(
        f"; {count:,} left out: {reason}" for reason, count in found.left_out.items()
    )
    console.print(f"{found.requests:,} ranking requests{left_out}", soft_wrap=True)
    if json_file is not None:
        json_file.write_text(json.dumps(dataclasses.asdict(found), indent=2), encoding="utf-8")
    raise typer.Exit(_BEYOND if found.is_beyond else 0)


def _matching(patterns: list[str]) -> list[str]:
    import glob

    files = {pattern: sorted(glob.glob(pattern)) for pattern in patterns}
    for pattern, matches in files.items():
        if not matches:
            raise ValueError(f"no file matches --requests {pattern}")
    return list(dict.fromkeys(file for matches in files.values() for file in matches))
