"""The command `fulcrum spec`, which checks and lists feature specs."""

from __future__ import annotations

from typing import Annotated

import typer

spec_app = typer.Typer(help="Propose, check and print feature specs.", no_args_is_help=True)


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
    logs: Annotated[
        str | None,
        typer.Option(
            "--logs",
            metavar="FOLDER",
            help="Folder of the logs: also look at them, at a sample where they are large.",
        ),
    ] = None,
) -> None:
    """Check a feature spec and print its fields, tasks and ranking formula, or every mistake in it.

    Mistakes in the settings of the model, the trainer and the search count. A warning, such as of a
    field that reads a label, is no mistake. With --logs, a run that is sure to fail is one: columns
    that are missing, too many lines that would be rejected, a split without examples. It also tells
    the positives of each task and split, how the keys of side tables match, and the sizes of
    vocabularies and of embedding tables.

    Example: fulcrum spec check short_video --logs logs
    """
    import importlib

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
    warnings, failures = spec_warnings(loaded), []
    if logs is not None:
        # By string, as the trainer's settings are: `feature_spec` imports nothing of ours.
        looking = importlib.import_module("pipeline.log_look.looking")
        found = looking.print_findings(loaded, logs, Console(highlight=False))
        warnings, failures = [*warnings, *found.warnings], found.failures
    for warning in warnings:
        to_stderr.print(
            f"Warning: {warning}", style="yellow", markup=False, highlight=False, soft_wrap=True
        )
    for failure in failures:
        to_stderr.print(
            f"Error: {failure}", style="red", markup=False, highlight=False, soft_wrap=True
        )
    if failures:
        raise typer.Exit(1)


@spec_app.command("list")
def list_ready() -> None:
    """Print the specs that ship with Fulcrum and where they lie, to copy from."""
    from feature_spec.loading import ready_specs

    for name, path in ready_specs().items():
        typer.echo(f"{name}\t{path}")
