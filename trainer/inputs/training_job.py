"""A training as a file, so that every worker does the same."""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path

from feature_spec.strict_model import StrictModel

JOB_FILE = "job.json"
_POLL_S = 0.5


class NoJobError(RuntimeError):
    """There is nothing to train."""


class TrainingJob(StrictModel):
    """What to train, and from what. All workers see its folders and files under the same names.

    All may be URIs but the checkpoints.

    Attributes:
        spec: text of the feature spec.
        settings: JSON of `trainer.settings.train_config.Settings`.
        train_files: globs of the transformed examples to train on.
        validation_files: globs of those to validate with.
        transform_graph: folder of the transform graph.
        checkpoints: folder that outlives a killed run; each job has one of its own below it.
        model: folder that the SavedModel is written to.
        curves: folder for TensorBoard.
        base_model: folder of the SavedModel whose weights the training begins with; None to draw
            them at random.
        span: JSON that the export carries of the days that it was trained on and is judged by; None
            if not by span.
    """

    spec: str
    settings: str
    train_files: list[str]
    validation_files: list[str]
    transform_graph: str
    checkpoints: str
    model: str
    curves: str
    base_model: str | None = None
    span: str | None = None

    @property
    def key(self) -> str:
        """Names what is trained: only a run over the same examples with the same settings may go on from its checkpoints."""
        inputs = [
            self.spec,
            self.settings,
            *self.train_files,
            *self.validation_files,
            self.transform_graph,
        ]
        inputs += [self.base_model] if self.base_model else []
        return hashlib.sha256("\n".join(inputs).encode()).hexdigest()[:15]

    @property
    def own_checkpoints(self) -> Path:
        """The folder of this job's checkpoints."""
        return Path(self.checkpoints) / self.key

    def publish(self) -> Path:
        """Writes the file that other workers wait for, `job.json` beside the checkpoints; returns its path."""
        path = Path(self.checkpoints) / JOB_FILE
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_suffix(".unfinished")
        unfinished.write_text(self.model_dump_json(indent=1), encoding="utf-8")
        os.replace(unfinished, path)
        return path


def awaited_job(checkpoints: Path, wait_s: float) -> TrainingJob:
    """The job that the chief has published, or will.

    Args:
        checkpoints: the folder of all jobs' checkpoints.
        wait_s: how long to wait for it.

    Raises:
        NoJobError: there was none in that time.
    """
    path = checkpoints / JOB_FILE
    end = time.monotonic() + wait_s
    while True:
        try:
            return TrainingJob.model_validate_json(path.read_bytes())
        except FileNotFoundError:
            if time.monotonic() > end:
                raise NoJobError(
                    f"no training was under way within {wait_s:g} s: {path} does not exist. The chief writes it, "
                    "`fulcrum run --set trainer.strategy=multi_worker`, once it comes to training"
                ) from None
        time.sleep(_POLL_S)
