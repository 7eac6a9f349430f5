"""The places where a pipeline keeps its files: `Root` on this machine, `ClusterRoot` on a cluster."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from feature_spec import names
from feature_spec.names import artifacts_place, keep_artifacts_at
from pipeline.workspace.artifact_files import matching_files
from pipeline.workspace.capture_output import capture_output


class RootError(ValueError):
    """A root that is not for this run."""


class RootOfAnotherSpecError(RootError):
    """A root that was made for another spec, whose models would get among this one's versions."""


class ArtifactsPlaceError(RootError):
    """Artifacts cannot be put there, because those of this root are elsewhere, or because there are files already."""


@dataclass(frozen=True)
class Root:
    """Paths below the pipeline root.

    Attributes:
        folder: the root, absolute, so that a run from another working directory reuses the same
            steps.
    """

    folder: Path

    @property
    def metadata(self) -> Path:
        """ML Metadata's SQLite file."""
        return self.folder / "metadata.sqlite"

    @property
    def artifacts(self) -> str:
        """Folder or URI of the outputs by component, output name and execution."""
        return artifacts_place(self.folder)

    @property
    def checkpoints(self) -> Path:
        """The trainer's checkpoints; the same folder in every run, so that an interrupted training goes on."""
        return self.folder / names.CHECKPOINTS

    @property
    def tuning(self) -> Path:
        """Finished trials of each search for better settings, a folder a search."""
        return self.folder / "tuning"

    @property
    def serving_model(self) -> Path:
        """Pushed models, a folder a version."""
        return self.folder / names.SERVING_MODEL

    @property
    def lock(self) -> Path:
        """Locked while a run is under way."""
        return self.folder / "run.lock"

    @property
    def logs(self) -> Path:
        """What TFX, Beam and TensorFlow had to say, a file a run."""
        return self.folder / "logs"

    def claim(self, spec_name: str, artifacts: str | None = None) -> None:
        """Makes the root that of a spec, with a place for its artifacts, if it is not yet.

        Args:
            spec_name: of the spec.
            artifacts: folder or URI for the artifacts; None for the place where they are, at first
                a folder of the root.

        Raises:
            RootOfAnotherSpecError: it is another spec's.
            ArtifactsPlaceError: the root has its artifacts elsewhere; or it is new, and at that
                place are files already; or the place cannot be reached.
        """
        owner = self.folder / "spec_name"
        if not owner.exists():
            if artifacts is not None:
                _check_empty(artifacts)
                keep_artifacts_at(self.folder, artifacts)
            owner.write_text(spec_name, encoding="utf-8")
        elif (name := owner.read_text(encoding="utf-8")) != spec_name:
            raise RootOfAnotherSpecError(
                f"{self.folder} holds the models of spec {name!r}: give another --root for {spec_name!r}"
            )
        elif artifacts is not None and artifacts != self.artifacts:
            raise ArtifactsPlaceError(
                f"--artifacts {artifacts}: {self.folder} has its artifacts in {self.artifacts}: leave the option out, or give "
                "another --root"
            )


def _check_empty(artifacts: str) -> None:
    """Two roots count their executions from 1, so that at one place they would write over each other's artifacts."""
    try:
        # Beam prints each attempt to find credentials.
        with capture_output(Path(os.devnull)):
            files = matching_files(artifacts, "**")
    except Exception as error:  # the libraries of a cloud have errors of their own
        raise ArtifactsPlaceError(f"--artifacts {artifacts} cannot be reached: {error}") from error
    if files:
        raise ArtifactsPlaceError(
            f"--artifacts {artifacts}: there are files already, such as {files[0]}; give each root its own"
        )


@dataclass(frozen=True)
class ClusterRoot:
    """URIs below a root that all pods can reach, and folders of a single pod.

    Attributes:
        uri: of the root, such as ``gs://bucket/ranking``, without a slash at its end.
    """

    uri: str

    @property
    def artifacts(self) -> str:
        """Outputs of components, by run."""
        return f"{self.uri}/{names.ARTIFACTS}"

    @property
    def serving_model(self) -> str:
        """Pushed models, a folder a version."""
        return f"{self.uri}/{names.SERVING_MODEL}"

    @property
    def checkpoints(self) -> str:
        """The trainer's checkpoints, which need a file system that can append and rename; they end with the pod."""
        return f"/tmp/{names.CHECKPOINTS}"  # noqa: S108 (nobody else is in the pod)

    @property
    def tuning(self) -> str:
        """Trials of the search for settings; they end with the pod."""
        return "/tmp/tuning"  # noqa: S108


class RootInUseError(RuntimeError):
    """Another run holds the lock."""


@contextmanager
def locked(file: Path) -> Iterator[None]:
    """Holds a lock that the kernel frees when the process ends, however it ends.

    Raises:
        RootInUseError: another process holds it; the message has its process id.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a+", encoding="ascii") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            holder = lock.read().strip() or "unknown"
            raise RootInUseError(
                f"another run (process {holder}) is using {file.parent}: wait until it has ended, or give another --root"
            ) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield
