"""The folder of `fulcrum run --root`, in which everything lies that the pipeline keeps between runs."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Root:
    """Paths below the pipeline root.

    Attributes:
        folder: the root, absolute, so that a run from another working directory reuses the same steps.
    """

    folder: Path

    @property
    def metadata(self) -> Path:
        """ML Metadata's SQLite file."""
        return self.folder / "metadata.sqlite"

    @property
    def artifacts(self) -> Path:
        """Outputs by component, output name and execution."""
        return self.folder / "artifacts"

    @property
    def checkpoints(self) -> Path:
        """The trainer's checkpoints; the same folder in every run, so that an interrupted training goes on."""
        return self.folder / "checkpoints"

    @property
    def serving_model(self) -> Path:
        """Pushed models, a folder a version."""
        return self.folder / "serving_model"

    @property
    def lock(self) -> Path:
        """Locked while a run is under way."""
        return self.folder / "run.lock"

    @property
    def logs(self) -> Path:
        """What TFX, Beam and TensorFlow had to say, a file a run."""
        return self.folder / "logs"

    def schema(self, text: str) -> Path:
        """The file of a schema, named by its content: a step that reads it would otherwise not notice a change."""
        return self.folder / "schema" / f"{hashlib.sha256(text.encode()).hexdigest()[:16]}.pbtxt"
