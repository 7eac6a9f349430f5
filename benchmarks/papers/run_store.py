"""Finished runs as files, so that a second call goes on where the first stopped."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from benchmarks.papers.metrics import Scores


@dataclass(frozen=True, kw_only=True, order=True)
class Run:
    """One training, named.

    Attributes:
        variant: of the data, such as a correlation of the synthetic ones; empty where there is one.
        contender: who is trained.
        setting: which of the settings to choose from.
        seed: of initial weights, the order of the examples, and synthetic data.
    """

    variant: str
    contender: str
    setting: str
    seed: int


@dataclass(frozen=True, kw_only=True)
class Finished:
    """What is known of a run before anyone looks at the test part.

    Attributes:
        validation: metrics by task on the validation part.
        parameters: number of weights.
        elapsed_s: of the training and the scoring.
    """

    validation: dict[str, dict[str, float]]
    parameters: int
    elapsed_s: float


class RunStore:
    """A folder with a file of facts and one of test scores for each finished run.

    Args:
        folder: of one comparison: runs of other tasks or another preprocessing belong elsewhere.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def finished(self, run: Run) -> Finished | None:
        """What the run left, if it is finished."""
        facts = self._path(run, "json")
        return Finished(**json.loads(facts.read_text(encoding="utf-8"))) if facts.exists() else None

    def keep(self, run: Run, finished: Finished, test_scores: Scores) -> None:
        """Keeps a run's facts and its scores of the test part, which meet the labels when the tables are made."""
        scores, facts = self._path(run, "npz"), self._path(run, "json")
        scores.parent.mkdir(parents=True, exist_ok=True)
        np.savez_compressed(
            scores, **{task: np.asarray(values, np.float32) for task, values in test_scores.items()}
        )
        # Renamed last: a run is finished once its facts are there.
        unfinished = facts.with_suffix(".unfinished")
        unfinished.write_text(json.dumps(asdict(finished)), encoding="utf-8")
        os.replace(unfinished, facts)

    def test_scores(self, run: Run) -> Scores:
        """Scores of the test part by task."""
        with np.load(self._path(run, "npz")) as arrays:
            return {task: arrays[task] for task in arrays.files}

    def _path(self, run: Run, ending: str) -> Path:
        return self.folder / run.variant / run.contender / run.setting / f"seed-{run.seed}.{ending}"
