"""A ranking request from logs as the page offers it, and how one is read from a PredictRequest."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.core.framework.tensor_pb2 import TensorProto
from tensorflow_serving.apis.predict_pb2 import PredictRequest

from feature_spec.fields.field import (
    BaseField,
    MultiCategoricalField,
    NumericField,
    SequenceField,
    VectorField,
)
from feature_spec.spec import FeatureSpec
from serving.client.types import Candidate, FieldValue, RankingRequest


@dataclass(frozen=True, kw_only=True)
class LoggedRequest:
    """A user in a context, and candidates.

    Attributes:
        label: The name of the request for people: the user's key where the log has one.
        request: The request without weights; the page gives them.
        shown: The number of candidates, from the first, that this user was shown. The others were
            shown to other users. 0 where the log does not tell users apart.
    """

    label: str
    request: RankingRequest
    shown: int


def typed_request(
    spec: FeatureSpec, request: PredictRequest, ids: Sequence[str | None] | None = None
) -> RankingRequest:
    """Return a request's user, context and candidates, without its weights.

    Args:
        spec: The feature spec whose fields are read. A field that the request leaves out is
            missing.
        request: User and context fields (1,) or (1, T), item fields (C,) or (C, T).
        ids: The ids of the candidates.

    Raises:
        ValueError: A field does not have the shape or the dtype that the spec asks for, or there is
            no item field.
    """
    columns = {
        name: _column(name, field, request.inputs[name])
        for name, field in spec.fields.items()
        if name in request.inputs
    }
    counts = {len(columns[name]) for name in spec.fields_of("item") if name in columns}
    if len(counts) != 1:
        raise ValueError(
            "item fields of one length are needed; received "
            f"{', '.join(map(str, sorted(counts))) or 'none'}"
        )
    rows = range(counts.pop())
    if ids is None:
        ids = [None] * len(rows)
    return RankingRequest(
        user=_row(spec, columns, "user", 0),
        context=_row(spec, columns, "context", 0),
        candidates=[
            Candidate(id=ids[row], fields=_row(spec, columns, "item", row)) for row in rows
        ],
    )


def _row(
    spec: FeatureSpec, columns: dict[str, list[FieldValue]], side: str, row: int
) -> dict[str, FieldValue]:
    return {name: columns[name][row] for name in spec.fields_of(side) if name in columns}


def _column(name: str, field: BaseField, tensor: TensorProto) -> list[FieldValue]:
    """Return a field's values, one for each row; None for a missing one."""
    values = tf.make_ndarray(tensor)
    lists = isinstance(field, MultiCategoricalField | SequenceField)
    vector = isinstance(field, VectorField)
    number = isinstance(field, NumericField) or vector
    if (
        values.ndim != (2 if lists or vector else 1)
        or not len(values)
        or (values.dtype == np.float32) != number
    ):
        raise ValueError(
            f"{name}: not a {field.side} field's {'lists' if lists else 'values'}: {values.dtype} "
            f"{values.shape}"
        )
    if vector:
        return [None if np.isnan(row).any() else row.tolist() for row in values]
    if number:
        return [_number(value) for value in values]
    if lists and field.history is not None:
        return [_aligned(row) for row in values.tolist()]
    if lists:
        return [[text.decode() for text in row if text] for row in values.tolist()]
    return [text.decode() or None for text in values.tolist()]


def _aligned(row: list[bytes]) -> FieldValue:
    """Return the values of one list of a sequence, in which an empty text keeps its place.

    A list of one empty text stands for an empty list.
    """
    return [text.decode() for text in row] if row != [b""] else []


def _number(value: Any) -> float | None:
    """Return the number with the fewest digits that is the same float32."""
    return None if math.isnan(value) else float(str(value))
