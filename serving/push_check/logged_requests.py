"""Requests made of logged examples: what a client would have sent for them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import tensorflow as tf
from tensorflow.core.framework.tensor_pb2 import TensorProto
from tensorflow_serving.apis.predict_pb2 import PredictRequest

from feature_spec.fields.field import BaseField, MultiCategoricalField, NumericField, SequenceField
from feature_spec.names import SPEC_FINGERPRINT
from feature_spec.spec import FeatureSpec

Example: TypeAlias = tf.train.Example


def examples_request(
    spec: FeatureSpec, signature: str, examples: Sequence[Example]
) -> PredictRequest:
    """A request to a signature that reads serialised tf.Examples (B,)."""
    request = _request(spec, signature)
    request.inputs["examples"].CopyFrom(
        tf.make_tensor_proto([example.SerializeToString() for example in examples])
    )
    return request


def rank_request(
    spec: FeatureSpec, signature: str, user: Example, items: Sequence[Example]
) -> PredictRequest:
    """A request to a signature that reads the raw fields of one request: user and context of `user`, one candidate an item."""
    request = _request(spec, signature)
    for name, field in spec.fields.items():
        rows = items if field.side == "item" else [user]
        request.inputs[name].CopyFrom(_tensor(field, [row.features.feature[name] for row in rows]))
    request.inputs[SPEC_FINGERPRINT].CopyFrom(tf.make_tensor_proto(spec.fingerprint))
    return request


def shown_to(spec: FeatureSpec, user: Example, item: Example) -> Example:
    """The example of a user and context, and an item, as if it had been logged so."""
    merged = Example()
    for name, field in spec.fields.items():
        logged = (item if field.side == "item" else user).features.feature
        if name in logged:
            merged.features.feature[name].CopyFrom(logged[name])
    return merged


def _request(spec: FeatureSpec, signature: str) -> PredictRequest:
    request = PredictRequest()
    request.model_spec.name = spec.name
    request.model_spec.signature_name = signature
    return request


def _tensor(field: BaseField, features: Sequence[tf.train.Feature]) -> TensorProto:
    """The raw values of a field, (R,) or, padded with ``""``, (R, T)."""
    if isinstance(field, NumericField):
        return tf.make_tensor_proto(
            [[*feature.float_list.value, float("nan")][0] for feature in features], tf.float32
        )
    texts = [list(feature.bytes_list.value) for feature in features]
    if isinstance(field, MultiCategoricalField | SequenceField):
        length = max(1, *map(len, texts))
        return tf.make_tensor_proto([row + [b""] * (length - len(row)) for row in texts], tf.string)
    return tf.make_tensor_proto([[*row, b""][0] for row in texts], tf.string)
