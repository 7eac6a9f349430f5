"""Where the artifacts of a pipeline root are: in its folder ``artifacts``, or at a place that a file of the root names.

Pipeline, trainer and serving all look for artifacts of a root.
"""

from __future__ import annotations

from pathlib import Path

from feature_spec.names import ARTIFACTS

_FILE = "artifacts_place"


def is_uri(path: str | Path) -> bool:
    """Whether a path has a scheme, such as ``gs://``, so that this machine's own file system does not know it."""
    return "://" in str(path)


def artifacts_place(root: Path) -> str:
    """The folder or URI of the artifacts."""
    file = root / _FILE
    return file.read_text(encoding="utf-8") if file.exists() else str(root / ARTIFACTS)


def keep_artifacts_at(root: Path, place: str) -> None:
    """Makes `place` that of a root's artifacts."""
    (root / _FILE).write_text(place, encoding="utf-8")
