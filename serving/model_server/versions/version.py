"""A version of a model: its folder, the policy that chooses it, and where it is in its life."""

from __future__ import annotations

import enum
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from feature_spec import names
from feature_spec.yaml_text import YamlTextError, read_yaml
from serving.model_server.status_error import StatusError
from serving.model_server.versions.saved_model import SavedModel

FilesState = frozenset[tuple[str, int, int]]


def versions_root(root: Path) -> Path:
    """Return the folder of the versions: `root` if it has any, else its ``serving_model``."""
    return root if version_folders(root) else root / names.SERVING_MODEL


def version_folders(folder: Path) -> dict[int, Path]:
    """Return the folders named by a number, by that number; none if `folder` does not exist.

    Raises:
        OSError: The folder cannot be read.
    """
    try:
        folders = [path for path in folder.iterdir() if path.is_dir()]
    except FileNotFoundError:
        return {}
    return {int(path.name): path for path in folders if path.name.isascii() and path.name.isdigit()}


def exported_spec_name(version_folder: Path) -> str | None:
    """Return the name in the feature spec that a version carries; None if it carries none."""
    try:
        text = (version_folder / names.EXPORTED_SPEC).read_text(encoding="utf-8")
        spec = read_yaml(text, names.EXPORTED_SPEC)
    except (OSError, UnicodeDecodeError, YamlTextError):
        return None
    name = spec.get("name") if isinstance(spec, dict) else None
    return name if isinstance(name, str) else None


def files_state(version_folder: Path) -> FilesState:
    """Return path, size in bytes and time of change of every file of a version.

    Equal states mean that loading again would fail again.
    """
    try:
        stats = [(path, path.stat()) for path in version_folder.rglob("*")]
    except OSError:
        return frozenset()
    return frozenset((str(path), stat.st_size, stat.st_mtime_ns) for path, stat in stats)


@dataclass(frozen=True, kw_only=True)
class VersionPolicy:
    """A choice among the versions on disk.

    Attributes:
        newest: The number of versions that are kept, the newest that load; None for all that load.
        numbers: The only versions considered; None for any.
    """

    newest: int | None = 1
    numbers: AbstractSet[int] | None = None

    LATEST: ClassVar[VersionPolicy]
    ALL: ClassVar[VersionPolicy]
    NONE: ClassVar[VersionPolicy]

    def considers(self, number: int) -> bool:
        """Return whether a version may be loaded."""
        return self.numbers is None or number in self.numbers


VersionPolicy.LATEST = VersionPolicy()
VersionPolicy.ALL = VersionPolicy(newest=None)
VersionPolicy.NONE = VersionPolicy(newest=None, numbers=frozenset())


class VersionState(enum.IntEnum):
    """The state of a version, with the numbers of `ModelVersionStatus.State`."""

    START = 10
    LOADING = 20
    AVAILABLE = 30
    UNLOADING = 40
    END = 50


@dataclass(kw_only=True, eq=False)
class Version:
    """A version that was seen at least once.

    Attributes:
        number: The version number.
        folder: The folder of the version's files.
        state: The state of the version.
        error: The reason why the version could not be loaded.
        model: The model; None unless AVAILABLE or UNLOADING.
        requests_in_flight: Requests that use the model now.
        failed_files: The files as they were when loading failed.
        failed_loads: The number of times that these files could not be loaded.
        failed_at_s: The time of the last failure, on the monotonic clock.
    """

    number: int
    folder: Path
    state: VersionState = VersionState.START
    error: StatusError | None = None
    model: SavedModel | None = None
    requests_in_flight: int = 0
    failed_files: FilesState | None = None
    failed_loads: int = 0
    failed_at_s: float = 0.0


@dataclass(frozen=True, kw_only=True)
class VersionInUse:
    """A version that stays in memory while a request holds it.

    Attributes:
        number: The version's number.
        model: The loaded model.
        max_candidates: The largest number of rows in an input, or of examples in a request; None
            for any.
    """

    number: int
    model: SavedModel
    max_candidates: int | None = None
