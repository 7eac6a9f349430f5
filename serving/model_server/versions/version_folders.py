"""Where versions of a model lie: folders named by a number."""

from __future__ import annotations

from pathlib import Path

import yaml

from feature_spec import names

FilesState = frozenset[tuple[str, int, int]]


def versions_root(root: Path) -> Path:
    """The folder that holds the versions: `root` itself if it has any, else its ``serving_model``."""
    return root if version_folders(root) else root / names.SERVING_MODEL


def version_folders(folder: Path) -> dict[int, Path]:
    """The folders named by a number, by that number; none where `folder` does not exist.

    Raises:
        OSError: the folder cannot be read.
    """
    try:
        folders = [path for path in folder.iterdir() if path.is_dir()]
    except FileNotFoundError:
        return {}
    return {int(path.name): path for path in folders if path.name.isascii() and path.name.isdigit()}


def exported_spec_name(version_folder: Path) -> str | None:
    """The name in the feature spec that the version was trained with; None where the version carries no such spec."""
    try:
        spec = yaml.safe_load((version_folder / names.EXPORTED_SPEC).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return None
    name = spec.get("name") if isinstance(spec, dict) else None
    return name if isinstance(name, str) else None


def files_state(version_folder: Path) -> FilesState:
    """Path, size in bytes and time of change of every file: equal states mean that loading again would fail again."""
    try:
        stats = [(path, path.stat()) for path in version_folder.rglob("*")]
    except OSError:
        return frozenset()
    return frozenset((str(path), stat.st_size, stat.st_mtime_ns) for path, stat in stats)
