"""A training as a file, so that every worker does the same."""

from __future__ import annotations

import hashlib
import logging
import os
import time
from pathlib import Path

import pydantic

from feature_spec import names
from feature_spec.strict_model import StrictModel, problems_of
from trainer.settings.train_config import Settings

logger = logging.getLogger("fulcrum.trainer")

JOB_FILE = "job.json"
_POLL_S = 0.5
_REMINDER_S = 60.0


class NoJobError(RuntimeError):
    """There is nothing to train."""


class TrainingJob(StrictModel):
    """The inputs, settings and outputs of a training.

    All workers see the folders and files under the same names. All may be URIs, except the
    checkpoints.

    Attributes:
        spec: text of the feature spec.
        settings: the model and how it is trained.
        train_files: globs of the examples to train on, transformed if the settings say
            `materialize_transform`, else as ingested.
        validation_files: globs of the examples to validate with, likewise.
        transform_graph: folder of the transform graph.
        checkpoints: folder that outlives a killed run. Each job has a folder of its own below it,
            and all share that of packed examples beside it.
        model: folder that the SavedModel is written to.
        curves: folder for TensorBoard.
        base_model: folder of the SavedModel whose weights the training begins with; None to draw
            weights at random.
        span: JSON of the days that the model is trained on and judged by, which the export carries;
            None if the run is not by span.
    """

    spec: str
    settings: Settings
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
        """The name of what is trained: spec, settings and examples.

        Only a run with the same key may go on from the job's checkpoints.
        """
        inputs = [
            self.spec,
            self.settings.model_dump_json(),
            *self.train_files,
            *self.validation_files,
            self.transform_graph,
        ]
        inputs += [self.base_model] if self.base_model else []
        return hashlib.sha256("\n".join(inputs).encode()).hexdigest()[:15]

    @property
    def packed_examples(self) -> Path:
        """The folder of examples as columns, which all jobs over the same examples share."""
        return Path(self.checkpoints).with_name(names.PACKED_EXAMPLES)

    @property
    def own_checkpoints(self) -> Path:
        """The folder of this job's checkpoints."""
        return Path(self.checkpoints) / self.key

    def publish(self) -> Path:
        """Write `job.json` beside the checkpoints, for which workers wait, and return its path."""
        path = Path(self.checkpoints) / JOB_FILE
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_suffix(".unfinished")
        unfinished.write_text(self.model_dump_json(indent=1), encoding="utf-8")
        os.replace(unfinished, path)
        return path


def awaited_job(checkpoints: Path, wait_s: float | None = None) -> TrainingJob:
    """Wait for the job that the chief publishes, and say so once a minute.

    Args:
        checkpoints: folder of the checkpoints of all jobs.
        wait_s: seconds to wait; None to wait without limit.

    Raises:
        NoJobError: the chief published no job in that time, or one of another version.
    """
    path = checkpoints / JOB_FILE
    missing = (
        f"{path} does not exist. The chief writes it, `fulcrum run --set "
        "trainer.strategy=multi_worker`, once it comes to training"
    )
    began = time.monotonic()
    reminded = began
    while True:
        try:
            return TrainingJob.model_validate_json(path.read_bytes())
        except pydantic.ValidationError as error:
            raise NoJobError(
                f"{path} is no job that this version can read: all workers need the chief's "
                f"version ({problems_of(error)})"
            ) from error
        except FileNotFoundError:
            now = time.monotonic()
            if wait_s is not None and now > began + wait_s:
                raise NoJobError(
                    f"no training was under way within {wait_s:g} s: {missing}"
                ) from None
            if now > reminded + _REMINDER_S:
                minutes = (now - began) / 60.0
                logger.info("still waits for the chief, since %.0f min: %s", minutes, missing)
                reminded = now
        time.sleep(_POLL_S)
