"""The newest of what runs have left: versions of a model, and outputs of executions.

A version is a folder whose name is a number. An output's files lie below a folder that has the
number of its execution: `ARTIFACTS/NODE/OUTPUT/EXECUTION/Split-NAME/FILE`.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from feature_spec import names

SAVED_MODEL = "saved_model.pb"


def newest_version(folder: Path, *holding: str) -> Path | None:
    """Return the newest version in a folder; None if there is none.

    Args:
        folder: the folder of the versions; it need not exist.
        holding: files that a version must hold to count.
    """
    versions = [
        child for child in folder.glob("*") if child.name.isdecimal() and _holds(child, holding)
    ]
    return max(versions, key=lambda version: int(version.name), default=None)


def newest_model(folder: Path, *holding: str) -> Path | None:
    """Return the SavedModel in a folder; None if there is none.

    Args:
        folder: a SavedModel, a folder of versions, of which the newest is taken, or a pipeline
            root, whose newest pushed model is taken.
        holding: files that the model must hold beside `saved_model.pb`.
    """
    wanted = (SAVED_MODEL, *holding)
    for parent in (folder / names.SERVING_MODEL, folder):
        if version := newest_version(parent, *wanted):
            return version
    return folder if _holds(folder, wanted) else None


def of_newest_execution(files: Iterable[str]) -> list[str]:
    """Return the files of one output of a node that its newest execution wrote, in their order."""
    numbered = [file for file in files if _execution(file).isdecimal()]
    newest = max(map(_execution, numbered), key=int, default=None)
    return [file for file in numbered if _execution(file) == newest]


def _execution(file: str) -> str:
    return file.split("/")[-3]


def _holds(folder: Path, files: Iterable[str]) -> bool:
    return all((folder / file).is_file() for file in files)
