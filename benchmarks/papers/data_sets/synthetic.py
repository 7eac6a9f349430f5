"""Two regression tasks of known relatedness, by the recipe of MMoE with the parameters of PLE."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from benchmarks.papers.workload import Examples, Workload
from feature_spec import names
from feature_spec.tasks.task import Task

CORRELATIONS = (0.2, 0.4, 0.5, 0.75, 1.0)
DIMENSIONS, SINES, NOISE_VARIANCE = 512, 10, 0.01
TRAINER = {"epochs": 20, "patience": 1, "batch_size": 1024}
_PARTS = {names.TRAIN: 0.8, names.VALIDATION: 0.05, names.EVALUATION: 0.15}


def synthetic_examples(
    correlation: float, rows: int, seed: int
) -> dict[str, npt.NDArray[np.float32]]:
    """Draw two related regression tasks (PLE, section 5.2).

    x ~ N(0, I) and y_t = w_t·x + Σ_i sin(α_i w_t·x + β_i) + ε with cos(w_1, w_2) = `correlation`.
    α and β are drawn once for both tasks.

    Returns:
        `x` (rows, 512) and `y` (rows, 2).
    """
    random = np.random.default_rng(seed)
    first, other = np.linalg.qr(random.standard_normal((DIMENSIONS, 2)))[0].T
    weights = np.stack(
        [first, correlation * first + np.sqrt(1.0 - correlation**2) * other], axis=1
    ).astype(np.float32)
    alpha, beta = random.standard_normal((2, SINES))
    x = random.standard_normal((rows, DIMENSIONS), dtype=np.float32)
    projected = x @ weights
    y = projected + sum(np.sin(a * projected + b) for a, b in zip(alpha, beta, strict=True))
    y += np.sqrt(NOISE_VARIANCE) * random.standard_normal(y.shape)
    return {"x": x, "y": y.astype(np.float32)}


def synthetic_workload(correlation: float, rows: int, seed: int) -> Workload:
    """Return the examples as 512 numbers of a candidate, with two regression tasks."""
    from trainer.network.network_layout import NetworkLayout

    data = synthetic_examples(correlation, rows, seed)
    task = Task.model_validate(
        {
            "kind": "regression",
            "label": {"rule": "column", "column": "y"},
            "metric": "mse",
            "threshold": 0.0,
            "tolerance": 0.0,
        }
    )
    tasks = {"y1": task, "y2": task}
    bounds = np.cumsum([0, *(round(share * rows) for share in _PARTS.values())])
    splits: dict[str, Examples] = {
        split: {
            names.CANDIDATE_NUMBERS: data["x"][first:last],
            names.LABELS: data["y"][first:last],
            names.MASKS: np.ones_like(data["y"][first:last]),
        }
        for split, first, last in zip(_PARTS, bounds[:-1], bounds[1:], strict=True)
    }
    layout = NetworkLayout(
        table_rows={},
        slots={"request": (), "candidate": ()},
        numbers={"request": 0, "candidate": DIMENSIONS},
        tasks=dict.fromkeys(tasks, "regression"),
    )
    return Workload(tasks=tasks, layout=layout, splits=splits)
