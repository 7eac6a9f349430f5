"""The places where a pipeline keeps its files, on this machine and on a cluster."""

from __future__ import annotations

import fcntl
import os
import tempfile
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from feature_spec import names
from feature_spec.names import artifacts_place, keep_artifacts_at
from pipeline.workspace.artifact_files import matching_files
from pipeline.workspace.capture_output import capture_output


class RootError(ValueError):
    """A root cannot be used for this run."""


class UnusablePlaceError(RootError):
    """Nothing can be kept at a place."""


class RootOfAnotherSpecError(RootError):
    """A root belongs to another spec, whose models this run would mix with its own."""


class ArtifactsPlaceError(RootError):
    """Artifacts cannot be put at a place.

    The artifacts of the root are elsewhere, or other files are already there.
    """


@dataclass(frozen=True)
class Root:
    """Paths below the pipeline root on this machine.

    Attributes:
        folder: the root as an absolute path, so that a run from another working directory reuses
            the same steps.
    """

    folder: Path

    @classmethod
    def at(cls, folder: Path) -> Root:
        """Return the root in a folder as the user gives it, such as ``~/runs`` or ``runs/``.

        Raises:
            UnusablePlaceError: the path has characters that libraries read as a pattern, or cannot
                be followed.
        """
        try:
            absolute = expanded(folder).resolve()
        except (OSError, RuntimeError) as error:  # a circle of links is a RuntimeError
            raise UnusablePlaceError(f"--root {folder}: cannot be followed: {error}") from error
        check_place("--root", str(absolute))
        return cls(absolute)

    def make(self) -> None:
        """Make the folder, and try whether files can be written there.

        Raises:
            UnusablePlaceError: the folder cannot be made or written.
        """
        _make_writable("--root", self.folder)

    @property
    def metadata(self) -> Path:
        """The SQLite file of ML Metadata."""
        return self.folder / "metadata.sqlite"

    @property
    def artifacts(self) -> str:
        """The folder or URI of the outputs by component, output name and execution."""
        return artifacts_place(self.folder)

    @property
    def checkpoints(self) -> Path:
        """The folder of the trainer's checkpoints.

        It is the same in every run, so that an interrupted training goes on.
        """
        return self.folder / names.CHECKPOINTS

    @property
    def tuning(self) -> Path:
        """The folder of finished trials, with a folder for each search."""
        return self.folder / "tuning"

    @property
    def serving_model(self) -> Path:
        """The folder of pushed models, with a folder for each version."""
        return self.folder / names.SERVING_MODEL

    @property
    def lock(self) -> Path:
        """The file that is locked during a run."""
        return self.folder / "run.lock"

    @property
    def logs(self) -> Path:
        """The folder of what TFX, Beam and TensorFlow print, with a file for each run."""
        return self.folder / "logs"

    def claim(self, spec_name: str, artifacts: str | None = None) -> None:
        """Make the root belong to a spec and give its artifacts a place, unless that is done.

        Args:
            spec_name: the name of the spec.
            artifacts: folder or URI for the artifacts. None: the present place, which is a folder
                of the root at first.

        Raises:
            RootOfAnotherSpecError: the root belongs to another spec.
            ArtifactsPlaceError: the root has its artifacts elsewhere, a new root finds files at the
                place, or the place cannot be reached.
            UnusablePlaceError: artifacts cannot be kept at the place.
        """
        owner = self.folder / "spec_name"
        if not owner.exists():
            if artifacts is not None:
                check_place("--artifacts", artifacts)
                if not names.is_uri(artifacts):
                    is_new = _make_writable("--artifacts", Path(artifacts))
                    if is_new:
                        Path(artifacts).rmdir()  # the components make it
                _check_empty(artifacts)
                keep_artifacts_at(self.folder, artifacts)
            owner.write_text(spec_name, encoding="utf-8")
        elif (name := owner.read_text(encoding="utf-8")) != spec_name:
            raise RootOfAnotherSpecError(
                f"{self.folder} holds the models of spec {name!r}: give another --root for "
                f"{spec_name!r}"
            )
        elif artifacts is not None and artifacts != self.artifacts:
            raise ArtifactsPlaceError(
                f"--artifacts {artifacts}: {self.folder} has its artifacts in {self.artifacts}: "
                "leave the option out, or give another --root"
            )


# TFX and TensorFlow find files by patterns, and escape nothing in the folders before them.
_OF_PATTERNS = "*?[\\"


def check_place(option: str, place: str) -> None:
    """Check that a folder or URI has no character that libraries read as part of a pattern.

    Args:
        option: the option that names the place, for errors.
        place: the absolute path, or the URI.

    Raises:
        UnusablePlaceError: the place has such a character; the message names it.
    """
    for character in place:
        if character in _OF_PATTERNS:
            reason = "which TFX and TensorFlow read as a pattern of files"
        elif unicodedata.category(character) in ("Cc", "Cs"):
            reason = "which is no printable character"
        else:
            continue
        raise UnusablePlaceError(
            f"{option} {place!r}: has the character {character!r}, {reason}: give a folder "
            "without it"
        )


def expanded(path: Path) -> Path:
    """Return a path with the home folder in place of a leading ``~``, as shells do."""
    return path.expanduser() if path.parts[:1] == ("~",) else path


def _make_writable(option: str, folder: Path) -> bool:
    """Make a folder and try to write a file to it; return whether it did not exist before."""
    try:
        is_new = not folder.exists()
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return is_new
    except OSError as error:
        raise UnusablePlaceError(
            f"{option} {folder}: cannot be written: {error.strerror}"
        ) from error


def _check_empty(artifacts: str) -> None:
    """Refuse a place that has files.

    Each root counts its executions from 1, so two roots at one place would overwrite each other's
    artifacts.
    """
    try:
        # Beam prints every attempt to find credentials.
        with capture_output(Path(os.devnull)):
            files = matching_files(artifacts, "**")
    except Exception as error:  # the libraries of a cloud have errors of their own
        raise ArtifactsPlaceError(f"--artifacts {artifacts} cannot be reached: {error}") from error
    if files:
        raise ArtifactsPlaceError(
            f"--artifacts {artifacts}: there are files already, such as {files[0]}; give each "
            "root its own"
        )


@dataclass(frozen=True)
class ClusterRoot:
    """URIs below a root that all pods can reach, and folders of a single pod.

    Attributes:
        uri: the URI of the root, such as ``gs://bucket/ranking``, without a slash at the end.
    """

    uri: str

    @property
    def artifacts(self) -> str:
        """The URI of the outputs of components, by run."""
        return f"{self.uri}/{names.ARTIFACTS}"

    @property
    def serving_model(self) -> str:
        """The URI of pushed models, with a folder for each version."""
        return f"{self.uri}/{names.SERVING_MODEL}"

    @property
    def checkpoints(self) -> str:
        """The folder of the trainer's checkpoints, which ends with the pod.

        Checkpoints need a file system that can append and rename.
        """
        return f"/tmp/{names.CHECKPOINTS}"  # noqa: S108 (nobody else is in the pod)

    @property
    def tuning(self) -> str:
        """The folder of trials of the search for settings, which ends with the pod."""
        return "/tmp/tuning"  # noqa: S108


class RootInUseError(RuntimeError):
    """Another run holds the lock of a root."""


@contextmanager
def locked(file: Path) -> Iterator[None]:
    """Hold a lock, which the kernel frees when the process ends, however it ends.

    Raises:
        RootInUseError: another process holds the lock; the message has its process id.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a+", encoding="ascii") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            holder = lock.read().strip() or "unknown"
            raise RootInUseError(
                f"another run (process {holder}) is using {file.parent}: wait until it has "
                "ended, or give another --root"
            ) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield
