"""`fulcrum models`: list the models and explain their settings."""

from __future__ import annotations

from typing import Annotated

import typer


def models(
    name: Annotated[
        str | None,
        typer.Argument(help="A model, to read what its settings mean.", show_default="all"),
    ] = None,
) -> None:
    """Print the models, each with its paper and its settings.

    Choose a model by `fulcrum run --model NAME --set model.SETTING=VALUE`.

    Example: fulcrum models ple
    """
    from rich import box
    from rich.console import Console
    from rich.table import Table

    from feature_spec.strict_model import closest_names
    from trainer.settings.model_config import MODELS, ModelSettings

    if name is None:
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_lines=False)
        for heading in ("model", "what it is", "settings and defaults"):
            table.add_column(heading)
        for model, settings in MODELS.items():
            defaults = ", ".join(f"{key}={value}" for key, value in settings().model_dump().items())
            table.add_row(model, (settings.__doc__ or "").splitlines()[0], defaults)
        Console().print(table)
    elif name in MODELS:
        for kind in (MODELS[name], ModelSettings):
            typer.echo(f"{kind.__doc__}\n")
    else:
        typer.echo(f"no such model {name!r}: {closest_names(name, MODELS)}", err=True)
        raise typer.Exit(1)
