"""The store of finished runs, with which a second call goes on where the first stopped."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from benchmarks.papers.comparison import Scores


@dataclass(frozen=True, kw_only=True, order=True)
class Run:
    """The name of one training.

    Attributes:
        variant: the variant of the data, such as a correlation of the synthetic tasks; empty if
            there is only one.
        contender: the name of the contender that is trained.
        setting: the name of the setting.
        seed: the seed of initial weights, the order of the examples, and synthetic data.
    """

    variant: str
    contender: str
    setting: str
    seed: int


@dataclass(frozen=True, kw_only=True)
class Finished:
    """The facts of a finished run, without the test part.

    Attributes:
        validation: metrics by task on the validation part.
        parameters: number of weights.
        elapsed_s: seconds that training and scoring took.
        closed: what gates and masks closed, see `closed_parts`; empty for a model without gates.
    """

    validation: dict[str, dict[str, float]]
    parameters: int
    elapsed_s: float
    closed: dict[str, float] = field(default_factory=dict)


class RunStore:
    """A folder with a file of facts and one of test scores for each finished run.

    Args:
        folder: the folder of one comparison. Runs with other tasks or another preprocessing need
            a folder of their own.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def finished(self, run: Run) -> Finished | None:
        """Return the facts of a run, or None if it is not finished."""
        facts = self._path(run, "json")
        return Finished(**json.loads(facts.read_text(encoding="utf-8"))) if facts.exists() else None

    def keep(self, run: Run, finished: Finished, test_scores: Scores) -> None:
        """Keep the facts of a run and its scores of the test part.

        The scores meet the labels when the tables are made.
        """
        scores, facts = self._path(run, "npz"), self._path(run, "json")
        scores.parent.mkdir(parents=True, exist_ok=True)
        np.savez_compressed(
            scores, **{task: np.asarray(values, np.float32) for task, values in test_scores.items()}
        )
        # A run counts as finished once its facts are there, so they are renamed last.
        unfinished = facts.with_suffix(".unfinished")
        unfinished.write_text(json.dumps(asdict(finished)), encoding="utf-8")
        os.replace(unfinished, facts)

    def test_scores(self, run: Run) -> Scores:
        """Return the scores of the test part by task."""
        with np.load(self._path(run, "npz")) as arrays:
            return {task: arrays[task] for task in arrays.files}

    def _path(self, run: Run, ending: str) -> Path:
        return self.folder / run.variant / run.contender / run.setting / f"seed-{run.seed}.{ending}"
