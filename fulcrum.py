"""The `fulcrum` command: the one place that knows all packages. Each package's commands import what is heavy when they run."""

from __future__ import annotations

import typer

import feature_spec.commands
import pipeline.commands
import serving.commands
import trainer.commands

app = typer.Typer(
    name="fulcrum",
    help="Multi-task ranking: from feedback logs and one feature spec to a blessed model that serves.\n\n"
    "A first round: fulcrum simulate, fulcrum run, fulcrum serve, fulcrum rank. Each has its own --help.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
for package in (feature_spec, pipeline, trainer, serving):
    package.commands.add_to(app)


def main() -> None:
    """Runs the command line."""
    app()


if __name__ == "__main__":
    main()
