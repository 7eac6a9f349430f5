"""Logged exposures with their scores by a model and their observed labels."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from feature_spec import names
from feature_spec.formula import (
    SCORE_FLOOR,
    RankingFormula,
    transformed_duration,
)
from feature_spec.spec import FeatureSpec
from trainer.formula_search.objective import Objective
from trainer.inspect.exported_model import ExportedModelError, reading
from trainer.inspect.exported_signatures import ExportedSignatures

Floats = npt.NDArray[np.float64]


def log_factors(
    formula: RankingFormula,
    scores: Mapping[str, npt.ArrayLike],
    durations: npt.ArrayLike | None,
    *,
    floors: Mapping[str, float] | None = None,
) -> Floats:
    """Compute the log factors of the ranking formula, whose product with the weights is the score.

    They are log max(score_k, ε_k) of each task and, if the formula has a duration,
    log max(f(duration / scale), ε). The log ranking score is log factors · weights, as in
    `feature_spec.formula`.

    Args:
        formula: the formula, with f and its scale.
        scores: scores by task, (N,).
        durations: raw durations, (N,), NaN where missing; None if the formula has no duration.
        floors: ε_k by task, as `FeatureSpec.score_floors` gives them; SCORE_FLOOR for the others.

    Returns:
        (N, K) or (N, K + 1), in the order of `feature_spec.formula.weights_in_force`;
        0 for a missing duration.
    """
    columns = [
        np.maximum(np.asarray(values, np.float64), (floors or {}).get(task, SCORE_FLOOR))
        for task, values in scores.items()
    ]
    factor = formula.duration
    if factor is not None:
        known = np.asarray(durations, np.float64).tolist()
        # A factor of 1 for a missing duration leaves the score as it is.
        of_duration = [
            1.0 if math.isnan(value) else transformed_duration(factor, value) for value in known
        ]
        columns.append(np.maximum(of_duration, SCORE_FLOOR))
    return np.log(np.stack(columns, axis=1))


_BATCH_SIZE = 4096
_NO_TIME = -1


@dataclass(frozen=True, kw_only=True)
class LoggedExposures:
    """N logged exposures, each scored once.

    Attributes:
        log_factors: the log factors of the ranking formula, (N, F).
        ranking_scores: the ranking scores of the model, with its default weights, (N,).
        gains: the gain of each exposure in each objective, (N, O).
        request_keys: (N,) bytes, ``b""`` where an example has no key.
        user_keys: (N,) bytes, ``b""`` where an example has no key.
        days: (N,) days since 1970 in UTC; below 0 where an example has no time.
    """

    log_factors: Floats
    ranking_scores: Floats
    gains: Floats
    request_keys: npt.NDArray[np.bytes_]
    user_keys: npt.NDArray[np.bytes_]
    days: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.log_factors)


def scored_exposures(
    model: Path,
    files: Sequence[str],
    spec: FeatureSpec,
    objectives: Sequence[Objective],
    scored: Callable[[int], None] = lambda _: None,
    *,
    signatures: ExportedSignatures | None = None,
) -> LoggedExposures:
    """Score ingested examples by the signature `serving_default`.

    Args:
        model: the folder of the SavedModel.
        files: gzipped TFRecords.
        spec: the one that the model carries.
        objectives: the objectives whose labels are read; there may be none.
        scored: told how many more exposures have been scored.
        signatures: the model's signatures, where they are loaded already.

    Raises:
        ExportedModelError: the files are not what `fulcrum run` ingests, or hold no example.
    """
    import tensorflow as tf

    signatures = signatures or ExportedSignatures(model)
    duration = spec.ranking_formula.duration
    parsing = {
        name: tf.io.FixedLenFeature([], tf.string, "")
        for name in (names.REQUEST_KEY, names.USER_KEY)
    }
    parsing[names.EVENT_TIME] = tf.io.FixedLenFeature([], tf.int64, _NO_TIME)
    for objective in objectives:
        for name in (names.label_name(objective.task), names.mask_name(objective.task)):
            parsing[name] = tf.io.FixedLenFeature([], tf.float32, 0.0)
    if duration is not None:
        parsing[duration.field] = tf.io.FixedLenFeature([], tf.float32, float("nan"))
    batches: list[dict[str, Any]] = []
    with reading(files):
        records = tf.data.TFRecordDataset(files, compression_type="GZIP").batch(_BATCH_SIZE)
        for batch in records.as_numpy_iterator():
            parsed = tf.io.parse_example(batch, parsing)
            batches.append(
                signatures.outputs(names.SERVING_DEFAULT, batch)
                | {name: values.numpy() for name, values in parsed.items()}
            )
            scored(len(batch))
    if not batches:
        raise ExportedModelError(f"there is no example in {', '.join(files)}")
    all_rows = {name: np.concatenate([batch[name] for batch in batches]) for name in batches[0]}
    durations = all_rows[duration.field] if duration else None
    return LoggedExposures(
        log_factors=log_factors(
            spec.ranking_formula,
            {task: all_rows[task] for task in spec.tasks},
            durations,
            floors=spec.score_floors(),
        ),
        ranking_scores=all_rows[names.RANKING_SCORE].astype(np.float64),
        gains=_gains(objectives, all_rows, durations),
        request_keys=all_rows[names.REQUEST_KEY].astype(np.bytes_),
        user_keys=all_rows[names.USER_KEY].astype(np.bytes_),
        days=all_rows[names.EVENT_TIME] // 86_400_000_000,
    )


def _gains(objectives: Sequence[Objective], columns: dict[str, Any], durations: Any) -> Floats:
    gains = np.empty((len(columns[names.RANKING_SCORE]), len(objectives)))
    for position, objective in enumerate(objectives):
        gains[:, position] = (
            columns[names.label_name(objective.task)] * columns[names.mask_name(objective.task)]
        )
        if objective.times_duration:
            gains[:, position] *= np.nan_to_num(durations, nan=0.0)
    return gains
