"""Options `--logs` and `--artifacts`: a folder of this machine, or a URI such as ``gs://bucket/folder``."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Annotated

import typer

from feature_spec.names import is_uri

# A scheme with one slash would be a folder of this machine.
_SCHEME_AND_ONE_SLASH = re.compile(r"\w+:/(?!/)")


def _logs_place(value: str) -> str:
    """The URI, or the absolute path of the folder.

    Raises:
        typer.BadParameter: there is no such folder, or no file system for the URI.
    """
    place = _place(value)
    if not is_uri(place) and not Path(place).is_dir():
        raise typer.BadParameter(f"there is no folder {value}")
    return place


def _artifacts_place(value: str | None) -> str | None:
    """The URI, or the absolute path of the folder, which need not be there; None where the option is not given.

    Raises:
        typer.BadParameter: there is no file system for the URI.
    """
    return _place(value) if value is not None else None


def _place(value: str) -> str:
    if not is_uri(value):
        if _SCHEME_AND_ONE_SLASH.match(value):
            raise typer.BadParameter(
                f"{value} lacks a slash: write {value.replace(':/', '://', 1)}"
            )
        return str(Path(value).resolve())
    scheme = value.partition("://")[0]
    beam, tensorflow = known_schemes()
    strange_to = [
        library
        for library, known in (("Beam", beam), ("TensorFlow", tensorflow))
        if scheme not in known
    ]
    if strange_to:
        known_to_both = ", ".join(f"{one}://" for one in sorted(beam & tensorflow))
        raise typer.BadParameter(
            f"{value}: {scheme}:// is no file system here for {' and '.join(strange_to)}; Beam and TensorFlow both know "
            f"{known_to_both}, and folders of this machine"
        )
    return value.rstrip("/")


def known_schemes() -> tuple[set[str], set[str]]:
    """Schemes of URIs that Beam knows, whose workers read and write examples, and those that TensorFlow knows, for all else."""
    from pipeline.runner.capture_output import quiet

    # TensorFlow prints as it is imported.
    with quiet(Path(os.devnull)):
        import tensorflow as tf
        from apache_beam.io import filesystems  # noqa: F401  (defines the file systems)
        from apache_beam.io.filesystem import FileSystem

        beam = {system.scheme() for system in FileSystem.get_all_subclasses()}
        return {scheme for scheme in beam if scheme}, set(tf.io.gfile.get_registered_schemes()) - {
            ""
        }


LogsPlace = Annotated[
    str,
    typer.Option(
        metavar="FOLDER",
        help="Folder that the spec's log paths are relative to, or its URI, such as gs://…",
        callback=_logs_place,
    ),
]
ArtifactsPlace = Annotated[
    str | None,
    typer.Option(
        metavar="FOLDER",
        help="Folder for what the components make, or its URI, such as gs://…; the root keeps to it.",
        show_default="ROOT/artifacts",
        callback=_artifacts_place,
    ),
]
