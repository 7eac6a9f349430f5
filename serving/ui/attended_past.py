"""What each candidate of a request attends to: the past exposures that its scores look at most."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from feature_spec.artifacts.inspection import attention_output
from feature_spec.fields.field import NumericField, VectorField
from feature_spec.histories.attention import attended_histories
from feature_spec.names import INSPECT
from feature_spec.spec import FeatureSpec
from serving.client.request_tensors import value_reader
from serving.client.types import FieldValue, RankingRequest
from serving.model_server.versions.saved_model import SavedModel
from serving.ui.shown_histories import shown_sequences

_ENTRIES = 3


def attended_past(
    spec: FeatureSpec, model: SavedModel, request: RankingRequest
) -> list[list[dict[str, Any]]]:
    """Return for each candidate the past exposures with the largest weights, heaviest first.

    Args:
        spec: The feature spec of the version.
        model: The version in memory.
        request: The request; its fields of histories are what is attended to.

    Returns:
        For each candidate a list of `name`, `columns` and `entries`, one for each history that is
        not empty; an entry is a `weight` and a `row` of texts. Nothing where the version attends to
        no history.
    """
    attended = attended_histories(spec.fields, spec.histories)
    outputs = [attention_output(history.name) for history in attended]
    result: list[list[dict[str, Any]]] = [[] for _ in request.candidates]
    if not attended or not model.runnable(INSPECT):
        return result
    fields = {**request.user, **request.context}
    past = {sequence["name"]: sequence for sequence in shown_sequences(spec, fields)}
    examples = [
        _example(spec, {**fields, **candidate.fields}).SerializeToString()
        for candidate in request.candidates
    ]
    found = model.run(INSPECT, {"examples": tf.make_tensor_proto(examples)}, outputs, None)
    for history, weights in zip(attended, found, strict=True):
        shown = past.get(history.name) or _written(history.name, fields.get(history.name))
        for of_candidate, own in zip(result, weights, strict=True):
            if entries := _heaviest(own, shown["rows"]):
                of_candidate.append(
                    {"name": history.name, "columns": shown["columns"], "entries": entries}
                )
    return result


def _written(name: str, value: FieldValue) -> dict[str, Any]:
    values = value if isinstance(value, list | tuple) else []
    return {"columns": [name], "rows": [[str(text)] for text in values]}


def _heaviest(weights: npt.NDArray[np.float32], rows: list[list[str]]) -> list[dict[str, Any]]:
    """Return the entries of one candidate; an activation unit's weights may be negative."""
    own = weights[: len(rows)]
    order = np.argsort(-np.abs(own), kind="stable")[:_ENTRIES]
    return [
        {"weight": float(own[place]), "row": rows[place]} for place in order.tolist() if own[place]
    ]


def _example(spec: FeatureSpec, fields: Mapping[str, FieldValue]) -> tf.train.Example:
    """Return the tf.Example of an exposure with these values."""
    example = tf.train.Example()
    for name, field in spec.fields.items():
        value = value_reader(spec, field)(fields.get(name))
        feature = example.features.feature[name]
        if isinstance(field, VectorField):
            feature.float_list.value.extend(value)
        elif isinstance(field, NumericField):
            feature.float_list.value.append(value)
        else:
            feature.bytes_list.value.extend(value if isinstance(value, list) else [value])
    return example
