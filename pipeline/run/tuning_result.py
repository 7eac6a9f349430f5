"""The result of a search for better settings."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from feature_spec.sections import Tuner
from pipeline.workspace.artifact_files import read_bytes

# TFX's Tuner writes this file, a list of trials, the best one first.
_FILE = "tuner_results.json"


@dataclass(frozen=True, kw_only=True)
class Trial:
    """Settings that were tried.

    Attributes:
        values: settings by path.
        objective: the objective on the validation split after training with the settings.
    """

    values: dict[str, Any]
    objective: float


@dataclass(frozen=True, kw_only=True)
class TuningResult:
    """The result of a search.

    Attributes:
        objective: the name of the spec's objective.
        own: the first trial, which has the spec's own settings as far as the search space holds
            them.
        best: the best trial, whose settings the Trainer takes.
        trials: all trials that ended with a number, the best one first.
    """

    objective: str
    own: Trial | None
    best: Trial
    trials: list[Trial]


def read_tuning(folder: str, tuner: Tuner) -> TuningResult:
    """Read the result that the Tuner wrote.

    Args:
        folder: the folder of the artifact `tuner_results`.
        tuner: the section `tuner` of the spec.
    """
    rows = json.loads(read_bytes(f"{folder}/{_FILE}"))
    trials = {
        int(row["trial_id"]): Trial(
            values={path: _value(row[path]) for path in tuner.search}, objective=row["score"]
        )
        for row in rows
    }
    found = list(trials.values())
    return TuningResult(objective=tuner.objective, own=trials.get(0), best=found[0], trials=found)


def tuning_text(result: TuningResult) -> str:
    """Return the result in words, with the settings as `--set` takes them."""
    settings = " ".join(f"{path}={json.dumps(value)}" for path, value in result.best.values.items())
    own = f" (the spec's own settings: {result.own.objective:.5f})" if result.own else ""
    count = len(result.trials)
    return (
        f"Tuned for {result.objective} in {count} trial{'s' * (count > 1)}: "
        f"{result.best.objective:.5f}{own} with {settings}"
    )


def _value(received: Any) -> Any:
    # The Tuner keeps values that are not numbers as JSON.
    return json.loads(received) if isinstance(received, str) else received
