"""One model as it is served: its versions, the loaded ones, and the change from one to another.

A version goes START → LOADING → AVAILABLE → UNLOADING → END, or from LOADING straight to END, with
the error, if it cannot be loaded. A new version is AVAILABLE before the old one goes UNLOADING, and
an UNLOADING version keeps its memory until its last request is answered, so no request fails during
a swap. Versions in END stay listed.

One thread calls `poll`; any number of threads call the rest.
"""

from __future__ import annotations

import gc
import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import grpc

from serving.model_server.status_error import StatusError, as_status
from serving.model_server.versions.saved_model import SavedModel
from serving.model_server.versions.version import (
    Version,
    VersionInUse,
    VersionPolicy,
    VersionState,
    exported_spec_name,
    files_state,
    version_folders,
    versions_root,
)

logger = logging.getLogger(__name__)

Load = Callable[[Path], SavedModel]

_LOAD_RETRIES = 5
_RETRY_S = 60.0


class ServedModel:
    """The versions of one model below a folder.

    Attributes:
        root: A folder of versions, or one that holds them in ``serving_model``.
        name: The model's name in requests; None until it is known.
        policy: The policy that chooses the versions to keep loaded.
        labels: Versions by names that requests may use for them.

    The next `poll` acts on a change of `root` or `policy`.
    """

    def __init__(
        self,
        root: Path,
        *,
        name: str | None = None,
        policy: VersionPolicy = VersionPolicy.LATEST,
        labels: Mapping[str, int] | None = None,
    ) -> None:
        """Serve nothing until the first `poll`.

        Args:
            root: A folder of versions, or one that holds them in ``serving_model``.
            name: The model's name in requests. Defaults to the name in the feature spec of the
                first version seen, or else to the root's.
            policy: The policy that chooses the versions to keep loaded.
            labels: Versions by names that requests may use for them.
        """
        self.root = root
        self.name = name
        self.policy = policy
        self.labels = dict(labels or {})
        self._versions: dict[int, Version] = {}
        self._replaced: list[Version] = []
        self._lock = threading.Lock()
        self._unreadable: str | None = None

    @contextmanager
    def use(
        self, number: int | None = None, *, max_candidates: int | None = None
    ) -> Iterator[VersionInUse]:
        """Hold a version in memory for the duration of a request.

        Args:
            number: The version's number. Defaults to the newest that is AVAILABLE.
            max_candidates: The limit on candidates that the version in use carries; None for none.

        Raises:
            StatusError: NOT_FOUND; no such version is AVAILABLE.
        """
        with self._lock:
            available = {
                v.number: v for v in self._versions.values() if v.state == VersionState.AVAILABLE
            }
            version = available.get(max(available, default=-1) if number is None else number)
            if version is None or version.model is None:
                raise servable_not_found(self.name or "", number)
            version.requests_in_flight += 1
        try:
            yield VersionInUse(
                number=version.number, model=version.model, max_candidates=max_candidates
            )
        finally:
            with self._lock:
                version.requests_in_flight -= 1

    def statuses(self) -> list[Version]:
        """Return copies of all versions ever seen, newest first."""
        with self._lock:
            versions = sorted(self._versions.values(), key=lambda v: -v.number)
            return [
                Version(number=v.number, folder=v.folder, state=v.state, error=v.error)
                for v in versions
            ]

    def available_versions(self) -> list[int]:
        """Return the versions that answer requests, newest first."""
        return [
            version.number for version in self.statuses() if version.state == VersionState.AVAILABLE
        ]

    def poll(self, load: Load) -> None:
        """Bring what is loaded in line with the folder: load, then unload.

        Args:
            load: Makes a warm model of a version's folder; raises where it cannot.
        """
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
            wanted = self._load_wanted(on_disk, load)
            if on_disk and not wanted and self.policy != VersionPolicy.NONE:
                # Nothing that is wanted can be loaded: what is in memory is all there is.
                wanted = set(self.available_versions()[:1])
            self._retire(set(self.available_versions()) - wanted)
        self._free_unused()

    def close(self) -> None:
        """Free all versions; requests that are still running fail."""
        self._retire(set(self.available_versions()))
        self._free_unused(even_if_in_use=True)

    def _load_wanted(self, on_disk: dict[int, Path], load: Load) -> set[int]:
        """Load the versions that the policy wants, newest first; return the AVAILABLE ones."""
        wanted: set[int] = set()
        for number in sorted(filter(self.policy.considers, on_disk), reverse=True):
            if len(wanted) == self.policy.newest:
                break
            if (
                self._is_loaded(number, on_disk[number])
                or self._load(number, on_disk[number], load)
                or self._is_loaded(number)
            ):
                wanted.add(number)
        return wanted

    def _is_loaded(self, number: int, folder: Path | None = None) -> bool:
        """Return whether a version is AVAILABLE, from that folder if one is given."""
        version = self._versions.get(number)
        return (
            version is not None
            and version.state == VersionState.AVAILABLE
            and folder in (None, version.folder)
        )

    def _load(self, number: int, folder: Path, load: Load) -> bool:
        """Load a version, unless it is too early to try again; return whether it is loaded.

        It takes the place of a version of the same number from another folder.
        """
        files = files_state(folder)
        known = self._versions.get(number)
        failed_loads = known.failed_loads if known and known.failed_files == files else 0
        if known is not None and (
            known.state == VersionState.UNLOADING or (failed_loads and not _may_retry(known))
        ):
            return False
        version = Version(number=number, folder=folder)
        replaced = known if self._is_loaded(number) else None
        if replaced is None:
            with self._lock:
                self._versions[number] = version
        self._set_state(version, VersionState.LOADING)
        start_s = time.monotonic()
        try:
            model = load(folder)
        except Exception as raised:
            # Also what nobody thought of ends the version: left in LOADING, it would say nothing.
            error = as_status(raised)
            failed = replaced or version
            failed.failed_files, failed.failed_loads, failed.failed_at_s = (
                files,
                failed_loads + 1,
                time.monotonic(),
            )
            self._set_state(version, VersionState.END, error=error)
            logger.error(
                "%s: version %d cannot be loaded: %s: %s",
                self.name,
                number,
                error.code.name,
                error.text,
            )
            return False
        version.model = model
        with self._lock:
            version.state = VersionState.AVAILABLE
            self._versions[number] = version
            if replaced is not None:
                replaced.state = VersionState.UNLOADING
                self._replaced.append(replaced)
        logger.info(
            "%s: version %d is AVAILABLE, loaded in %.2f s",
            self.name,
            number,
            time.monotonic() - start_s,
        )
        return True

    def _retire(self, numbers: set[int]) -> None:
        for number in sorted(numbers):
            self._set_state(self._versions[number], VersionState.UNLOADING)
            logger.info("%s: version %d is UNLOADING", self.name, number)

    def _free_unused(self, even_if_in_use: bool = False) -> None:
        for version in [*self._versions.values(), *self._replaced]:
            if (
                version.state == VersionState.UNLOADING
                and version.model
                and (even_if_in_use or not version.requests_in_flight)
            ):
                version.model.close()
                version.model = None
                gc.collect()  # a graph is full of reference cycles
                self._set_state(version, VersionState.END)
                logger.info("%s: version %d is unloaded", self.name, version.number)
        self._replaced = [version for version in self._replaced if version.model]

    def _set_state(
        self, version: Version, state: VersionState, error: StatusError | None = None
    ) -> None:
        with self._lock:
            version.state, version.error = state, error


def servable_not_found(name: str, number: int | None) -> StatusError:
    """Return the answer to a request for a model or version that is not AVAILABLE."""
    asked = f"Latest({name})" if number is None else f"Specific({name}, {number})"
    return StatusError(grpc.StatusCode.NOT_FOUND, f"Servable not found for request: {asked}")


def _may_retry(version: Version) -> bool:
    """Return whether the same files are worth another try: disk or memory may have failed."""
    return (
        version.failed_loads <= _LOAD_RETRIES and time.monotonic() - version.failed_at_s >= _RETRY_S
    )
