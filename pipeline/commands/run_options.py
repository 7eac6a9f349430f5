"""Options that the pipeline's commands share, the checks of these options, and exit codes."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.text import Text

from feature_spec.names import is_uri

if TYPE_CHECKING:
    from feature_spec.spec import FeatureSpec

SpecOption = Annotated[
    str,
    typer.Option(
        "--spec", help="Feature spec: a YAML file, or a ready one; `fulcrum spec list` names them."
    ),
]
ModelOption = Annotated[
    str | None, typer.Option("--model", help="Model to train, in place of the spec's.")
]
SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="PATH=VALUE", help="Replaces a value of the spec. May be repeated."
    ),
]
TuneOption = Annotated[
    bool,
    typer.Option(
        "--tune", help="First search for better settings, as the spec's section tuner says."
    ),
]
WithSingleTaskOption = Annotated[
    bool,
    typer.Option(
        "--with-single-task",
        help="Also train each task alone, and report what each gains from the others (MTL gain).",
    ),
]
BeamOption = Annotated[
    list[str] | None,
    typer.Option(
        "--beam", metavar="KEY=VALUE", help="Option for Beam, passed on unchanged. May be repeated."
    ),
]


@dataclass(frozen=True)
class CheckedOptions:
    """The options of a run, read and checked.

    Attributes:
        spec: the feature spec with the overrides, valid as a whole.
        trainer_settings: JSON of the trainer's settings.
        beam_arguments: Beam pipeline options.
    """

    spec: FeatureSpec
    trainer_settings: str
    beam_arguments: list[str]


def checked_options(
    spec: str,
    *,
    model: str | None,
    overrides: Sequence[str] | None,
    beam: Sequence[str] | None,
    tune: bool = False,
) -> CheckedOptions:
    """Read and check the options of a run.

    Args:
        spec: the value of `--spec`.
        model: the value of `--model`, which replaces the model of the spec.
        overrides: the values of `--set`, which replace values of the spec.
        beam: the values of `--beam`, options for Beam.
        tune: whether settings are searched for (`--tune`).

    Raises:
        ValueError: an option is wrong, or the options contradict each other.
    """
    from feature_spec.spec_warnings import spec_warnings
    from pipeline.commands.run_options import beam_arguments
    from pipeline.commands.spec_overrides import checked_trainer_settings, load_overridden_spec

    feature_spec = load_overridden_spec(spec, overrides or [], model)
    for warning in spec_warnings(feature_spec):
        warn(warning)
    checked = CheckedOptions(
        feature_spec, checked_trainer_settings(feature_spec), beam_arguments(beam or [])
    )
    if tune and feature_spec.tuner is None:
        raise ValueError(f"--tune: {spec} has no section 'tuner'; see docs/feature_spec.md")
    return checked


# A scheme with one slash would name a folder of this machine.
_SCHEME_AND_ONE_SLASH = re.compile(r"\w+:/(?!/)")


def _logs_location(value: str) -> str:
    """Return the URI, or the absolute path of the folder.

    Raises:
        typer.BadParameter: the folder does not exist, or there is no file system for the URI.
    """
    # TensorFlow reads no logs.
    location = _location(value, ("Beam",))
    if not is_uri(location) and not Path(location).is_dir():
        raise typer.BadParameter(f"there is no folder {value}")
    return location


def _artifacts_location(value: str | None) -> str | None:
    """Return the URI, or the absolute path of the folder; None without the option.

    The folder need not exist.

    Raises:
        typer.BadParameter: there is no file system for the URI.
    """
    return _location(value, ("Beam", "TensorFlow")) if value is not None else None


def _location(value: str, readers: Sequence[str]) -> str:
    from pipeline.workspace.root import expanded

    if not is_uri(value):
        if _SCHEME_AND_ONE_SLASH.match(value):
            raise typer.BadParameter(
                f"{value} lacks a slash: write {value.replace(':/', '://', 1)}"
            )
        try:
            return str(expanded(Path(value)).resolve())
        except (OSError, RuntimeError) as error:  # a circle of links is a RuntimeError
            raise typer.BadParameter(f"{value} cannot be followed: {error}") from error
    scheme = value.partition("://")[0]
    beam, tensorflow = known_schemes()
    known = {library: {"Beam": beam, "TensorFlow": tensorflow}[library] for library in readers}
    strange_to = [library for library in readers if scheme not in known[library]]
    if strange_to:
        all_know = ", ".join(f"{one}://" for one in sorted(set.intersection(*known.values())))
        both, verb = ("both ", "know") if len(readers) > 1 else ("", "knows")
        raise typer.BadParameter(
            f"{value}: {scheme}:// is no file system here for {' and '.join(strange_to)}; "
            f"{' and '.join(readers)} {both}{verb} {all_know}, and folders of this machine"
        )
    return value.rstrip("/")


def known_schemes() -> tuple[set[str], set[str]]:
    """Return the schemes of URIs that Beam knows, and those that TensorFlow knows.

    Beam's workers read and write examples; TensorFlow does all else.
    """
    from pipeline.workspace.capture_output import capture_output

    # TensorFlow prints as it is imported.
    with capture_output(Path(os.devnull)):
        import tensorflow as tf
        from apache_beam.io import filesystems  # noqa: F401  (defines the file systems)
        from apache_beam.io.filesystem import FileSystem

        beam = {system.scheme() for system in FileSystem.get_all_subclasses()}
        return {scheme for scheme in beam if scheme}, set(tf.io.gfile.get_registered_schemes()) - {
            ""
        }


LogsLocation = Annotated[
    str,
    typer.Option(
        metavar="FOLDER",
        help="Folder that the spec's log paths are relative to, or its URI, such as gs://…",
        callback=_logs_location,
    ),
]
ArtifactsLocation = Annotated[
    str | None,
    typer.Option(
        metavar="FOLDER",
        help=(
            "Folder for what the components make, or its URI, such as gs://…; the root keeps to it."
        ),
        show_default="ROOT/artifacts",
        callback=_artifacts_location,
    ),
]


# `in_memory`, because a plain DirectRunner first tries to download another runner.
_BEAM_DEFAULTS = {"runner": "DirectRunner", "direct_running_mode": "in_memory"}
# Without an image, TFX packages itself for each component, which takes seconds each. Workers in
# this process need no package, and nobody reads the name.
_NO_PACKAGE = "sdk_container_image=none"
# Workers that a portable runner starts in this process.
_LOOPBACK = "environment_type=LOOPBACK"


def beam_arguments(options: Sequence[str]) -> list[str]:
    """Return Beam's arguments for options such as ``direct_num_workers=2``.

    An option replaces the default of the same name.

    Raises:
        ValueError: an option is not `key=value`.
    """
    for option in options:
        key, equals, _ = option.partition("=")
        if not equals or not key or key.startswith("-"):
            raise ValueError(f"--beam {option}: give key=value, such as runner=FlinkRunner")
    given = {option.partition("=")[0] for option in options}
    defaults = [f"{key}={value}" for key, value in _BEAM_DEFAULTS.items() if key not in given]
    if len(defaults) == len(_BEAM_DEFAULTS) or _LOOPBACK in options:
        defaults.append(_NO_PACKAGE)
    return [f"--{option}" for option in (*defaults, *options)]


# Typer itself ends with 2 on wrong usage.
EXIT_CODES = {"pushed": 0, "superseded": 0, "failed": 1, "refused": 3}
INTERRUPTED = 130


def warn(text: str) -> None:
    """Print a warning."""
    Console(stderr=True).print(Text.assemble(("Warning:", "yellow"), f" {text}"), soft_wrap=True)


def failed(error: Exception) -> typer.Exit:
    """Print an error, and return the exit to raise."""
    Console(stderr=True).print(Text.assemble(("Error:", "red"), f" {error}"), soft_wrap=True)
    return typer.Exit(EXIT_CODES["failed"])


@contextlib.contextmanager
def ended_early() -> Iterator[None]:
    """End the command if the root cannot be used or the user interrupts it."""
    from pipeline.workspace.root import RootError, RootInUseError

    try:
        yield
    except (RootInUseError, RootError) as error:
        raise failed(error) from error
    except KeyboardInterrupt:
        Console(stderr=True).print("Interrupted. The same command goes on from here.")
        raise typer.Exit(INTERRUPTED) from None
