"""The folder of `fulcrum run --root`, in which everything lies that the pipeline keeps between runs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from feature_spec import names


class RootOfAnotherSpecError(ValueError):
    """A root that was made for another spec, whose models would get among this one's versions."""


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
        return self.folder / names.ARTIFACTS

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

    def claim(self, spec_name: str) -> None:
        """Makes the root that of a spec, if it is not yet.

        Raises:
            RootOfAnotherSpecError: it is another one's.
        """
        owner = self.folder / "spec_name"
        if not owner.exists():
            owner.write_text(spec_name, encoding="utf-8")
        elif (name := owner.read_text(encoding="utf-8")) != spec_name:
            raise RootOfAnotherSpecError(
                f"{self.folder} holds the models of spec {name!r}: give another --root for {spec_name!r}"
            )
