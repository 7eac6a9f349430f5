"""One version of a model, and where it is in its life."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from pathlib import Path

from serving.model_server.status_error import StatusError
from serving.model_server.versions.saved_model import SavedModel
from serving.model_server.versions.version_folders import FilesState


class VersionState(enum.IntEnum):
    """Where a version is in its life; the numbers are those of `ModelVersionStatus.State`."""

    START = 10
    LOADING = 20
    AVAILABLE = 30
    UNLOADING = 40
    END = 50


@dataclass(kw_only=True, eq=False)
class Version:
    """A version that was seen at least once.

    Attributes:
        number: its version number.
        folder: where its files lie.
        state: where in its life it is.
        error: why it could not be loaded.
        model: the model; None unless AVAILABLE or UNLOADING.
        requests_in_flight: requests that use the model now.
        failed_files: the files as they were when loading failed.
        failed_loads: how often these files could not be loaded.
        failed_at_s: when that happened last, on the monotonic clock.
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
        max_candidates: The largest number of rows that an input of a request, or of examples that
            a request, may have; None for any number.
    """

    number: int
    model: SavedModel
    max_candidates: int | None = None
