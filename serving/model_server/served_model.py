"""One model as it is served: its versions, which of them are loaded, and how one takes over from another.

A version goes START → LOADING → AVAILABLE → UNLOADING → END, or from LOADING straight to END, with the error, if it cannot be
loaded. A new version is AVAILABLE before the old one goes UNLOADING, and an UNLOADING version keeps its memory until its last
request is answered, so no request fails during a swap. Versions in END stay listed.

One thread calls `poll`; any number of threads call the rest.
"""

from __future__ import annotations

import enum
import gc
import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc

from serving.model_server.saved_model import SavedModel
from serving.model_server.status_error import StatusError
from serving.model_server.version_folders import FilesState, exported_spec_name, files_state, version_folders, versions_root

logger = logging.getLogger(__name__)


class VersionState(enum.IntEnum):
    """Where a version is in its life; the numbers are those of `ModelVersionStatus.State`."""

    START = 10
    LOADING = 20
    AVAILABLE = 30
    UNLOADING = 40
    END = 50


class VersionPolicy(enum.Enum):
    """Which versions are kept loaded: the newest one that loads, or every one that loads."""

    LATEST = "latest"
    ALL = "all"


@dataclass(kw_only=True, eq=False)
class Version:
    """A version that was seen at least once.

    Attributes:
        number: its version number.
        state: where in its life it is.
        error: why it could not be loaded.
        model: the model; None unless AVAILABLE or UNLOADING.
        requests_in_flight: requests that use the model now.
        failed_files: the files as they were when loading failed.
    """

    number: int
    state: VersionState = VersionState.START
    error: StatusError | None = None
    model: SavedModel | None = None
    requests_in_flight: int = 0
    failed_files: FilesState | None = None


@dataclass(frozen=True, kw_only=True)
class VersionInUse:
    """A version that stays in memory while a request holds it."""

    number: int
    model: SavedModel


class ServedModel:
    """The versions of one model below a folder."""

    def __init__(
        self,
        root: Path,
        *,
        name: str | None = None,
        policy: VersionPolicy = VersionPolicy.LATEST,
        load: Callable[[Path], SavedModel] = SavedModel,
    ) -> None:
        """Serves nothing until the first `poll`.

        Args:
            root: a folder of versions, or one that holds them in ``serving_model``.
            name: the model's name in requests. Defaults to that in the feature spec of the first version seen, else the root's.
            policy: which versions are kept loaded.
            load: makes a model of a version's folder.
        """
        self.root = root
        self.name = name
        self._policy = policy
        self._load_model = load
        self._versions: dict[int, Version] = {}
        self._lock = threading.Lock()
        self._unreadable: str | None = None

    @contextmanager
    def use(self, number: int | None = None) -> Iterator[VersionInUse]:
        """Holds a version in memory for the duration of a request.

        Args:
            number: the version. Defaults to the newest that is AVAILABLE.

        Raises:
            StatusError: NOT_FOUND, no such version is AVAILABLE.
        """
        with self._lock:
            available = {v.number: v for v in self._versions.values() if v.state == VersionState.AVAILABLE}
            version = available.get(max(available, default=-1) if number is None else number)
            if version is None or version.model is None:
                raise servable_not_found(self.name or "", number)
            version.requests_in_flight += 1
        try:
            yield VersionInUse(number=version.number, model=version.model)
        finally:
            with self._lock:
                version.requests_in_flight -= 1

    def statuses(self) -> list[Version]:
        """Copies of all versions ever seen, newest first."""
        with self._lock:
            versions = sorted(self._versions.values(), key=lambda v: -v.number)
            return [Version(number=v.number, state=v.state, error=v.error) for v in versions]

    def available_versions(self) -> list[int]:
        """The versions that answer requests, newest first."""
        return [version.number for version in self.statuses() if version.state == VersionState.AVAILABLE]

    def poll(self) -> None:
        """Brings what is loaded in line with the folder: loads, then unloads."""
        try:
            on_disk = version_folders(versions_root(self.root))
        except OSError as error:
            # A disk that cannot be read for a while is no reason to stop serving.
            if str(error) != self._unreadable:
                logger.warning("%s cannot be read; keeping what is loaded: %s", self.root, error)
            self._unreadable = str(error)
            on_disk = None
        if on_disk is not None:
            self._unreadable = None
            if self.name is None and on_disk:
                self.name = exported_spec_name(on_disk[max(on_disk)]) or self.root.resolve().name
            wanted = self._load_wanted(on_disk)
            if on_disk and not wanted:
                # Nothing on disk can be loaded: what is in memory is all there is.
                wanted = set(self.available_versions()[:1])
            self._retire(set(self.available_versions()) - wanted)
        self._free_unused()

    def close(self) -> None:
        """Frees all versions. Requests that are still running fail."""
        self._retire(set(self.available_versions()))
        self._free_unused(even_if_in_use=True)

    def _load_wanted(self, on_disk: dict[int, Path]) -> set[int]:
        """Loads what the policy wants, newest first; returns the wanted versions that are AVAILABLE."""
        wanted: set[int] = set()
        for number in sorted(on_disk, reverse=True):
            version = self._versions.get(number)
            if (version is not None and version.state == VersionState.AVAILABLE) or self._load(number, on_disk[number]):
                wanted.add(number)
                if self._policy is VersionPolicy.LATEST:
                    break
        return wanted

    def _load(self, number: int, folder: Path) -> bool:
        """Loads a version unless it is still unloading, or failed before with the same files."""
        files = files_state(folder)
        known = self._versions.get(number)
        if known is not None and (known.state == VersionState.UNLOADING or known.failed_files == files):
            return False
        version = Version(number=number)
        with self._lock:
            self._versions[number] = version
        self._set_state(version, VersionState.LOADING)
        start_s = time.monotonic()
        try:
            model = self._load_model(folder)
            model.run_each_once()
        except StatusError as error:
            version.failed_files = files
            self._set_state(version, VersionState.END, error=error)
            logger.error("%s: version %d cannot be loaded: %s: %s", self.name, number, error.code.name, error.text)
            return False
        version.model = model
        self._set_state(version, VersionState.AVAILABLE)
        logger.info("%s: version %d is AVAILABLE, loaded in %.2f s", self.name, number, time.monotonic() - start_s)
        return True

    def _retire(self, numbers: set[int]) -> None:
        for number in sorted(numbers):
            self._set_state(self._versions[number], VersionState.UNLOADING)
            logger.info("%s: version %d is UNLOADING", self.name, number)

    def _free_unused(self, even_if_in_use: bool = False) -> None:
        for version in list(self._versions.values()):
            if version.state == VersionState.UNLOADING and version.model and (even_if_in_use or not version.requests_in_flight):
                version.model.close()
                version.model = None
                gc.collect()  # a graph is full of reference cycles
                self._set_state(version, VersionState.END)
                logger.info("%s: version %d is unloaded", self.name, version.number)

    def _set_state(self, version: Version, state: VersionState, error: StatusError | None = None) -> None:
        with self._lock:
            version.state, version.error = state, error


def servable_not_found(name: str, number: int | None) -> StatusError:
    """The answer to a request for a model or version that is not AVAILABLE."""
    asked = f"Latest({name})" if number is None else f"Specific({name}, {number})"
    return StatusError(grpc.StatusCode.NOT_FOUND, f"Servable not found for request: {asked}")
