"""The command `fulcrum spec`, which checks and lists feature specs."""

from __future__ import annotations

from typing import Annotated

import typer

spec_app = typer.Typer(help="Check and print feature specs.", no_args_is_help=True)


def add_to(app: typer.Typer) -> None:
    """Add the commands of this package to the command line."""
    app.add_typer(spec_app, name="spec")


@spec_app.command("check")
def check(
    spec: Annotated[
        str,
        typer.Argument(
            help="A YAML file, or the name of a ready spec: see `fulcrum spec list`.",
            metavar="FILE",
        ),
    ],
) -> None:
    """Check a feature spec and print its fields, tasks and ranking formula, or every mistake in it.

    Mistakes in the settings of the model, the trainer and the search count. A warning, such as of a
    field that reads a label, is no mistake.

    Example: fulcrum spec check short_video
    """
    from rich.console import Console

    from feature_spec.checking import checked_spec
    from feature_spec.loading import SpecError
    from feature_spec.spec_tables import print_spec
    from feature_spec.spec_warnings import spec_warnings

    to_stderr = Console(stderr=True)
    try:
        loaded = checked_spec(spec)
    except SpecError as error:
        to_stderr.print(str(error), style="red", markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(1) from None
    print_spec(loaded, Console())
    for warning in spec_warnings(loaded):
        to_stderr.print(
            f"Warning: {warning}", style="yellow", markup=False, highlight=False, soft_wrap=True
        )


@spec_app.command("list")
def list_ready() -> None:
    """Print the specs that ship with Fulcrum and where they lie, to copy from."""
    from feature_spec.loading import ready_specs

    for name, path in ready_specs().items():
        typer.echo(f"{name}\t{path}")
