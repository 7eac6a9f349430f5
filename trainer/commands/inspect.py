"""`fulcrum inspect`: show what a trained model learnt."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from feature_spec.output_file import writable_file
from trainer.commands.options import ExamplesOption, JsonOption, ModelOption


def inspect(
    model: ModelOption,
    examples: ExamplesOption = None,
    json_file: JsonOption = None,
    html_file: Annotated[
        Path | None,
        typer.Option(
            "--html",
            help="File for pictures: one page of HTML.",
            dir_okay=False,
            callback=writable_file,
        ),
    ] = None,
) -> None:
    """Show how tasks weigh experts, choose fields, open connections and mix layers.

    Gate weights of MMoE, ML-MMoE, CGC, PLE and AdaTT, field masks of MSSM, and the weights that
    candidates give to entries of their histories, are averaged over examples; gates of connections
    (SNR, MSSM) and coefficients (cross-stitch, sluice, AdaTT) are as they are. The others have
    nothing to show.

    Example: fulcrum inspect --model root --html inside.html
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from rich.console import Console

    from trainer.inspect.collect import inspect_model
    from trainer.inspect.exported_model import ExportedModelError
    from trainer.inspect.inspection_report import print_inspection

    try:
        inspection = inspect_model(model, examples or [])
        if json_file:
            json_file.write_text(inspection.model_dump_json(indent=1), encoding="utf-8")
        if html_file:
            from trainer.inspect.inspection_pictures import as_html

            html_file.write_text(as_html(inspection), encoding="utf-8")
    except (ExportedModelError, OSError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from error
    # A pipe has no width, so the widest table should fit.
    print_inspection(inspection, Console(width=None if sys.stdout.isatty() else 140))
