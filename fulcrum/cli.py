"""The `fulcrum` command: the one place that knows the commands of all packages.

Each command imports what is heavy when it runs, so that `fulcrum --help` answers at once.
"""

from __future__ import annotations

import os
import sys
import traceback
from typing import Annotated

import typer

import feature_spec.commands
import pipeline.commands
import serving.commands
import trainer.commands
from fulcrum import __version__
from fulcrum.lazy_names import EXTRAS, missing_extra
from fulcrum.quiet_libraries import QuietFinder

# TensorFlow's and Abseil's messages of CUDA and processors, and gRPC's.
_QUIET = {"TF_CPP_MIN_LOG_LEVEL": "3", "GRPC_VERBOSITY": "ERROR"}

app = typer.Typer(
    name="fulcrum",
    help="Multi-task ranking: from feedback logs and one feature spec to a blessed model that "
    "serves.\n\nA first round: fulcrum simulate, fulcrum run, fulcrum serve, fulcrum rank. "
    "With your own logs: fulcrum spec init. Each has its own --help.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
for package in (feature_spec, pipeline, trainer, serving):
    package.commands.add_to(app)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"fulcrum {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version and end."
        ),
    ] = False,
) -> None:
    """Take the options that stand before a command."""


def main() -> None:
    """Run the command line; name the extra to install where an optional dependency is missing.

    Libraries say nothing unless the environment asks them to.
    """
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)
    sys.meta_path.insert(0, QuietFinder(["tensorflow"]))
    try:
        app()
    except ModuleNotFoundError as error:
        missing = missing_extra(error, _command(), _importer(error))
        if missing is None:
            raise
        sys.exit(str(missing))


def _command() -> str:
    """Return the command as it was typed, without its options: `fulcrum run`."""
    words = [word for word in sys.argv[1:3] if not word.startswith("-")]
    return " ".join(["fulcrum", *words[:1]])


def _importer(error: ImportError) -> str:
    """Return the top-level package of Fulcrum whose command was running."""
    for frame, _ in traceback.walk_tb(error.__traceback__):
        package = frame.f_globals.get("__name__", "").partition(".")[0]
        if package in EXTRAS:
            return package
    return ""
