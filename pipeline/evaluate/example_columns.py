"""Columns of ingested examples that judge a model: keys, slices, labels, weights and scores.

A batch of thousands of examples stays in columns from the file to the sums: Python's time for each
example would be most of the Evaluator's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from feature_spec import names
from feature_spec.sections import MISSING, Slice
from feature_spec.spec import FeatureSpec
from pipeline.evaluate.metrics.eval_config import BASELINE, CANDIDATE, PART
from pipeline.evaluate.metrics.jackknife import parts_of

# The column of serialized examples, which tell examples apart where no key does.
RAW_RECORD = "__raw_record__"


def derived_features(batch: pa.RecordBatch, spec: FeatureSpec) -> dict[str, Any]:
    """Return keys, slices, parts of the jackknife, labels and weights of B examples.

    The label of the ranking score is the example's gain in NDCG. A task's weight is 0 outside its
    sample space, and 1 or the weight of the example inside. Joint probabilities of chains are tasks
    over the sample space of the chain's first task.

    Args:
        batch: a column of lists for each feature, as tfx_bsl decodes examples.
        spec: the feature spec, which names slices, keys and relevance.

    Returns:
        Keys and slices as pyarrow arrays of bytes (B,), the part as int64 (B,), and label and
        weight by output as float64 (B, 2).
    """
    keys = {names.USER_KEY: spec.keys.user, names.REQUEST_KEY: spec.keys.request}
    features: dict[str, Any] = {
        name: _texts(first_values(batch, name))
        for name, column in keys.items()
        if column is not None
    }
    # Examples that may be alike belong to one part: those of a user, or else of a request.
    part_key = next(iter(features), RAW_RECORD)
    features[PART] = parts_of(_texts(first_values(batch, part_key)))
    for part in spec.evaluation.slices:
        features[part.field] = _slice_names(first_values(batch, part.field), part)
    for task in spec.tasks:
        columns = [
            _numbers(first_values(batch, name))
            for name in (names.label_name(task), names.mask_name(task))
        ]
        features[task] = np.stack(columns, axis=1)
    for joint, chain in spec.joints.items():
        features[joint] = _joint_columns([features[task] for task in chain])
    if spec.evaluation.ndcg is not None:
        relevance = spec.evaluation.ndcg.relevance.items()
        gains = np.sum([weight * features[task].prod(axis=1) for task, weight in relevance], axis=0)
        features[names.RANKING_SCORE] = np.stack([gains, np.ones(len(gains))], axis=1)
    if spec.weight is not None:
        weights = _numbers(first_values(batch, names.EXAMPLE_WEIGHT))
        for task in spec.judged_tasks:
            features[task][:, 1] *= weights
    return features


def _joint_columns(chain: list[np.ndarray]) -> np.ndarray:
    """Return label and weight of a joint probability, (B, 2), from those of a chain's tasks.

    The label is 0 from the first task on whose label is 0, and the product of all labels otherwise.
    Where a label before that is not known, the weight is 0.
    """
    label, inside = chain[0][:, 0], chain[0][:, 1] > 0.0
    for stage in chain[1:]:
        inside = inside & ((label == 0.0) | (stage[:, 1] > 0.0))
        label = np.where(label > 0.0, label * stage[:, 0], 0.0)
    return np.stack([np.where(inside, label, 0.0), inside], axis=1)


def joined_scores(
    features: Mapping[str, Any],
    predictions: Mapping[str, Mapping[str, np.ndarray]],
    outputs: Sequence[str],
) -> dict[str, Any]:
    """Return the features with the scores of candidate and baseline beside label and weight.

    Args:
        features: the result of `derived_features`.
        predictions: scores of B examples by model and output.
        outputs: the features that get scores.

    Raises:
        ValueError: the candidate lacks one of the outputs.
    """
    models = [predictions[name] for name in (CANDIDATE, BASELINE) if name in predictions]
    joined = dict(features)
    for output in outputs:
        if output not in models[0]:
            raise ValueError(
                f"the candidate has no output {output}; its outputs are "
                f"{', '.join(sorted(models[0]))}"
            )
        scores = [np.ravel(model[_ordering(output, model)]) for model in models if output in model]
        joined[output] = np.column_stack([features[output], *scores])
    return joined


def _ordering(output: str, model: Mapping[str, Any]) -> str:
    """Return the output by which a model orders: a ranking score by its logarithm, if it has one.

    The ranking score itself is 0 for all candidates whose score float32 cannot hold.
    """
    by_log = output == names.RANKING_SCORE and names.LOG_RANKING_SCORE in model
    return names.LOG_RANKING_SCORE if by_log else output


def first_values(batch: pa.RecordBatch, name: str) -> pa.Array:
    """Return the first value of each row of a feature, (B,); null where a row has none.

    Args:
        batch: a column of lists for each feature, as tfx_bsl decodes examples.
        name: the feature, which the batch may lack.
    """
    if name not in batch.schema.names:
        return pa.nulls(batch.num_rows)
    column = batch.column(name)
    if pa.types.is_null(column.type):
        return column
    offsets = column.offsets.to_numpy(zero_copy_only=False)
    firsts = pa.array(offsets[:-1], mask=offsets[1:] == offsets[:-1])
    return column.values.take(firsts)


def _texts(values: pa.Array) -> pa.Array:
    """Return bytes, empty where a value is null."""
    if pa.types.is_null(values.type):
        return pa.array([b""] * len(values), pa.large_binary())
    return values.cast(pa.large_binary()).fill_null(b"")


def _numbers(values: pa.Array) -> np.ndarray:
    """Return float64; NaN where a value is null."""
    numbers: np.ndarray = values.cast(pa.float64()).to_numpy(zero_copy_only=False)
    return numbers


def _slice_names(values: pa.Array, part: Slice) -> pa.Array:
    """Return the name of each value's slice; `MISSING` where there is none."""
    missing = MISSING.encode()
    if not part.boundaries:
        texts = _texts(values)
        return pc.if_else(pc.equal(pc.binary_length(texts), 0), missing, texts)
    numbers = _numbers(values)
    places = np.searchsorted(part.boundaries, numbers, side="right")
    places[np.isnan(numbers)] = len(part.numeric_names)
    found = [*(name.encode() for name in part.numeric_names), missing]
    return pa.array(found, pa.large_binary()).take(pa.array(places))
