"""TFMA extractors: keys, slices, and each output's label, weight and scores of ingested examples.

TFMA's own extracts have an array for each label, weight and score of each example. To move these
arrays, above all to group examples by user, would take most of the Evaluator's time.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import apache_beam as beam
import numpy as np
import pyarrow as pa
from tensorflow_model_analysis import constants
from tensorflow_model_analysis.extractors import (
    Extractor,
    PredictionsExtractor,
    SliceKeyExtractor,
    UnbatchExtractor,
)

from feature_spec import names
from feature_spec.sections import MISSING
from feature_spec.spec import FeatureSpec
from pipeline.evaluate.metrics.eval_config import BASELINE, CANDIDATE, PART
from pipeline.evaluate.metrics.jackknife import part_of


def extractors(spec: FeatureSpec, eval_config: Any, eval_shared_models: Any) -> list[Extractor]:
    """Return TFMA's extractors with two of ours, which derive features and join scores."""
    return [
        Extractor(stage_name="DeriveFeatures", ptransform=beam.Map(_with_features, spec=spec)),
        PredictionsExtractor(eval_config, eval_shared_models),
        Extractor(stage_name="JoinScores", ptransform=beam.Map(_with_scores, spec=spec)),
        UnbatchExtractor(),
        SliceKeyExtractor(eval_config=eval_config),
    ]


def derived_features(batch: pa.RecordBatch, spec: FeatureSpec) -> dict[str, np.ndarray]:
    """Return keys, slices, parts of the jackknife, labels and weights of B examples.

    The label of the ranking score is the example's gain in NDCG. A task's weight is 0 outside its
    sample space.

    Args:
        batch: a column of lists for each feature, as TFXIO reads examples.
        spec: the feature spec, which names slices, keys and relevance.

    Returns:
        Keys and slices as text (B,), the part as int64 (B,), and label and weight by output as
        float64 (B, 2).
    """
    keys = {names.USER_KEY: spec.keys.user, names.REQUEST_KEY: spec.keys.request}
    features = {
        name: _texts(_values(batch, name)) for name, column in keys.items() if column is not None
    }
    # Examples that may be alike belong to one part: those of a user, or else of a request.
    part_key = next(iter(features), constants.ARROW_INPUT_COLUMN)
    features[PART] = np.array([part_of(key) for key in _values(batch, part_key)])
    for part in spec.evaluation.slices:
        values = _values(batch, part.field)
        if part.boundaries:
            values = [part.numeric_name(value).encode() for value in values]
        features[part.field] = _texts(value or MISSING.encode() for value in values)
    for task in spec.tasks:
        columns = [_values(batch, name) for name in (names.label_name(task), names.mask_name(task))]
        features[task] = np.array(columns, np.float64).T
    if spec.evaluation.ndcg is not None:
        relevance = spec.evaluation.ndcg.relevance.items()
        gains = np.sum([weight * features[task].prod(axis=1) for task, weight in relevance], axis=0)
        features[names.RANKING_SCORE] = np.stack([gains, np.ones(len(gains))], axis=1)
    return features


def joined_scores(
    features: Mapping[str, np.ndarray], predictions: Mapping[str, Any], outputs: Sequence[str]
) -> dict[str, Any]:
    """Return the features with the scores of candidate and baseline beside label and weight.

    Args:
        features: the result of `derived_features`.
        predictions: scores of B examples by output, or by model and output if there is a baseline.
        outputs: the features that get scores.
    """
    several = isinstance(predictions.get(CANDIDATE), Mapping)
    models = [predictions[name] for name in (CANDIDATE, BASELINE)] if several else [predictions]
    # TFMA gives the scores alone if a model has only one output.
    models = [
        model if isinstance(model, Mapping) else dict.fromkeys(outputs[:1], model)
        for model in models
    ]
    joined = dict(features)
    for output in outputs:
        scores = [np.ravel(model[_ordering(output, model)]) for model in models if output in model]
        joined[output] = np.column_stack([features[output], *scores])
    return joined


def _ordering(output: str, model: Mapping[str, Any]) -> str:
    """Return the output by which a model orders: a ranking score by its logarithm, if it has one.

    The ranking score itself is 0 for all candidates whose score float32 cannot hold.
    """
    by_log = output == names.RANKING_SCORE and names.LOG_RANKING_SCORE in model
    return names.LOG_RANKING_SCORE if by_log else output


def _with_features(extracts: Any, spec: FeatureSpec) -> Any:
    batch: pa.RecordBatch = extracts[constants.ARROW_RECORD_BATCH_KEY]
    return {
        constants.INPUT_KEY: _texts(_values(batch, constants.ARROW_INPUT_COLUMN)),
        constants.FEATURES_KEY: derived_features(batch, spec),
    }


def _with_scores(extracts: Any, spec: FeatureSpec) -> Any:
    features, predictions = extracts[constants.FEATURES_KEY], extracts[constants.PREDICTIONS_KEY]
    outputs = [output for output in (*spec.tasks, names.RANKING_SCORE) if output in features]
    return {constants.FEATURES_KEY: joined_scores(features, predictions, outputs)}


def _values(batch: pa.RecordBatch, name: str) -> list[Any]:
    """Return the value of each row; None where a row has none."""
    if name not in batch.schema.names:
        return [None] * batch.num_rows
    return [row[0] if row else None for row in batch.column(name).to_pylist()]


def _texts(values: Iterable[bytes]) -> np.ndarray:
    return np.array(list(values), dtype=object)
