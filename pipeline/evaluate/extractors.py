"""What TFMA's extracts hold of ingested examples: keys and slices, and of each output its label, weight and the models' scores.

TFMA's own extracts have an array for each label, weight and score of each example. Moving these
about, above all to group examples by user, would take most of the Evaluator's time.
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
    """TFMA's own extractors with two of ours, which make and narrow what is read."""
    return [
        Extractor(stage_name="DeriveFeatures", ptransform=beam.Map(_with_features, spec=spec)),
        PredictionsExtractor(eval_config, eval_shared_models),
        Extractor(stage_name="JoinScores", ptransform=beam.Map(_with_scores, spec=spec)),
        UnbatchExtractor(),
        SliceKeyExtractor(eval_config=eval_config),
    ]


def derived_features(batch: pa.RecordBatch, spec: FeatureSpec) -> dict[str, np.ndarray]:
    """Of B examples: the keys that the spec names, the slice by field, the part in the jackknife, labels and weights by output.

    The ranking score's label is the example's gain in NDCG; outside its sample space a task's
    weight is 0.

    Args:
        batch: a column of lists a feature, as TFXIO reads examples.
        spec: which slices, keys and relevance.

    Returns:
        (B,) each: text, for the part int64; by output float64 (B, 2).
    """
    keys = {names.USER_KEY: spec.keys.user, names.REQUEST_KEY: spec.keys.request}
    features = {
        name: _texts(_values(batch, name)) for name, column in keys.items() if column is not None
    }
    # Examples that may be alike belong to one part: those of a user or else of a request.
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
    """The features with the scores of the candidate, then of the baseline, beside each output's label and weight.

    Args:
        features: of `derived_features`.
        predictions: scores by output, or if there is a baseline by model and output; B examples
            each.
        outputs: which features are to have scores.
    """
    several = isinstance(predictions.get(CANDIDATE), Mapping)
    models = [predictions[name] for name in (CANDIDATE, BASELINE)] if several else [predictions]
    # Of a model with one output TFMA gives the scores alone.
    models = [
        model if isinstance(model, Mapping) else dict.fromkeys(outputs[:1], model)
        for model in models
    ]
    joined = dict(features)
    for output in outputs:
        scores = [np.ravel(model[output]) for model in models if output in model]
        joined[output] = np.column_stack([features[output], *scores])
    return joined


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
    """The value of each row; None where it has none."""
    if name not in batch.schema.names:
        return [None] * batch.num_rows
    return [row[0] if row else None for row in batch.column(name).to_pylist()]


def _texts(values: Iterable[bytes]) -> np.ndarray:
    return np.array(list(values), dtype=object)
