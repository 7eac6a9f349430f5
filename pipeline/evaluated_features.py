"""What TFMA reads of examples: labels, masks, query keys, and features made for slices, for NDCG and for the jackknife."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import apache_beam as beam
import numpy as np
import pyarrow as pa
from tensorflow_model_analysis import constants
from tensorflow_model_analysis.extractors import (
    ExampleWeightsExtractor,
    Extractor,
    FeaturesExtractor,
    LabelsExtractor,
    PredictionsExtractor,
    SliceKeyExtractor,
    UnbatchExtractor,
)

from feature_spec import names
from feature_spec.evaluation import MISSING
from feature_spec.spec import FeatureSpec
from pipeline.evaluation import GAIN, PART
from pipeline.jackknife import part_of


def extractors(spec: FeatureSpec, eval_config: Any, eval_shared_models: Any) -> list[Extractor]:
    """TFMA's own extractors after one that leaves out what is not read, so that little is moved and grouped."""
    return [
        Extractor(stage_name="NarrowFeatures", ptransform=beam.Map(narrowed, spec=spec)),
        FeaturesExtractor(eval_config),
        LabelsExtractor(eval_config),
        ExampleWeightsExtractor(eval_config),
        PredictionsExtractor(eval_config, eval_shared_models),
        Extractor(stage_name="DropInputs", ptransform=beam.Map(without_inputs)),
        UnbatchExtractor(),
        SliceKeyExtractor(eval_config=eval_config),
    ]


def narrowed(extracts: Any, spec: FeatureSpec) -> Any:
    """Extracts of B examples with the raw examples, labels, masks and the features of `derived_features`."""
    batch: pa.RecordBatch = extracts[constants.ARROW_RECORD_BATCH_KEY]
    kept = [constants.ARROW_INPUT_COLUMN]
    kept += [name for task in spec.tasks for name in (names.label_name(task), names.mask_name(task))]
    return {
        **extracts,
        constants.ARROW_RECORD_BATCH_KEY: batch.select(kept),
        constants.FEATURES_KEY: derived_features(batch, spec),
    }


def without_inputs(extracts: Any) -> Any:
    """Extracts without the raw examples, which nothing reads once there are predictions."""
    return {key: value for key, value in extracts.items() if key != constants.INPUT_KEY}


def derived_features(batch: pa.RecordBatch, spec: FeatureSpec) -> dict[str, np.ndarray]:
    """Of B examples: the keys that the spec names, the slice by field, the gain in NDCG, and the part in the jackknife.

    Args:
        batch: a column of lists a feature, as TFXIO reads examples.
        spec: which slices, keys and relevance.

    Returns:
        (B,) each: text, for the gain float32 and for the part int64.
    """
    keys = {names.USER_KEY: spec.keys.user, names.REQUEST_KEY: spec.keys.request}
    features = {name: _texts(_values(batch, name)) for name, column in keys.items() if column is not None}
    # Examples that may be alike belong to one part: those of a user or else of a request.
    part_key = next(iter(features), constants.ARROW_INPUT_COLUMN)
    features[PART] = np.array([part_of(key) for key in _values(batch, part_key)])
    for part in spec.evaluation.slices:
        values = _values(batch, part.field)
        if part.boundaries:
            values = [part.numeric_name(value).encode() for value in values]
        features[part.field] = _texts(value or MISSING.encode() for value in values)
    if spec.evaluation.ndcg is not None:
        gains = np.zeros(batch.num_rows, np.float32)
        for task, weight in spec.evaluation.ndcg.relevance.items():
            columns = names.label_name(task), names.mask_name(task)
            labels, masks = (np.array(_values(batch, name), np.float32) for name in columns)
            gains += weight * labels * masks
        features[GAIN] = gains
    return features


def _values(batch: pa.RecordBatch, name: str) -> list[Any]:
    """The value of each row; None where it has none."""
    if name not in batch.schema.names:
        return [None] * batch.num_rows
    return [row[0] if row else None for row in batch.column(name).to_pylist()]


def _texts(values: Iterable[bytes]) -> np.ndarray:
    return np.array(list(values), dtype=object)
