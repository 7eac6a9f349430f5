"""`fulcrum models`: list the models and explain their settings."""

from __future__ import annotations

import inspect
import json
import re
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.table import Table

    from trainer.settings.model_settings import ModelSettings


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
    from rich.markup import escape
    from rich.table import Table

    from feature_spec.strict_model import closest_names
    from trainer.settings.model_config import MODELS

    if name is None:
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_lines=False)
        for heading in ("model", "what it is", "settings and defaults"):
            table.add_column(heading)
        for model, settings in MODELS.items():
            defaults = ", ".join(
                f"{key}={_as_yaml(value)}" for key, value in settings().model_dump().items()
            )
            table.add_row(model, (settings.__doc__ or "").splitlines()[0], escape(defaults))
        Console().print(table)
    elif name in MODELS:
        settings = MODELS[name]
        typer.echo(f"{(settings.__doc__ or '').partition('Attributes:')[0].strip()}\n")
        Console().print(_settings_table(settings))
        typer.echo("Set one by `fulcrum run --set model.SETTING=VALUE`, or in the spec's `model`.")
    else:
        typer.echo(f"no such model {name!r}: {closest_names(name, MODELS)}", err=True)
        raise typer.Exit(1)


def _as_yaml(value: Any) -> str:
    """Return a value as a spec and `--set` have it."""
    return value if isinstance(value, str) else json.dumps(value)


def _settings_table(settings: type[ModelSettings]) -> Table:
    """Return a row for each setting: its default, and what it means, from the docstrings."""
    from rich import box
    from rich.markup import escape
    from rich.table import Table

    meanings: dict[str, str] = {}
    for kind in reversed(settings.__mro__):
        meanings |= _attributes(inspect.cleandoc(kind.__dict__.get("__doc__") or ""))
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("setting", no_wrap=True)
    table.add_column("default", no_wrap=True)
    table.add_column("what it is")
    for name, default in settings().model_dump().items():
        table.add_row(name, escape(_as_yaml(default)), escape(meanings.get(name, "")))
    return table


def _attributes(docstring: str) -> dict[str, str]:
    """Return the meaning of each attribute that a docstring explains, in one line."""
    _, _, listed = docstring.partition("Attributes:\n")
    found = re.findall(r"^    (\w+): (.*(?:\n {6,}.*)*)", listed, re.MULTILINE)
    return {name: " ".join(text.split()) for name, text in found}
