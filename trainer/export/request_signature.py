"""Raw fields as tensors: parsed from stored examples, or sent in a ranking request."""

from __future__ import annotations

from collections.abc import Mapping

import tensorflow as tf

from feature_spec import names
from feature_spec.fields.field import (
    BaseField,
    MultiCategoricalField,
    NumericField,
    SequenceField,
    VectorField,
)
from feature_spec.spec import FeatureSpec


def is_list(field: BaseField) -> bool:
    """Tell whether a field has several values."""
    return isinstance(field, MultiCategoricalField | SequenceField)


def parsed_fields(spec: FeatureSpec, examples: tf.Tensor) -> dict[str, tf.Tensor]:
    """Parse the raw fields of serialized tf.Examples, (B,).

    Returns:
        Text or float (B,), with ``""`` or NaN where missing; lists as sparse text (B, T); vectors
        as float (B, d).
    """
    return tf.io.parse_example(
        examples, {name: _parsing(field) for name, field in spec.fields.items()}
    )


def parsed_labels(spec: FeatureSpec, examples: tf.Tensor) -> dict[str, tf.Tensor]:
    """Parse the labels and masks of serialized tf.Examples, (B,).

    Returns:
        Float (B,) by feature name; 0 where absent, as in a logged request, and the weight 1.
    """
    parsing = tf.io.FixedLenFeature([], tf.float32, 0.0)
    wanted = [name(task) for task in spec.tasks for name in (names.label_name, names.mask_name)]
    features = dict.fromkeys(wanted, parsing)
    if spec.weight is not None:
        features[names.EXAMPLE_WEIGHT] = tf.io.FixedLenFeature([], tf.float32, 1.0)
    return tf.io.parse_example(examples, features)


def request_signature(spec: FeatureSpec) -> dict[str, tf.TensorSpec]:
    """Return the tensors of the raw fields in a ranking request.

    User and context fields are (1,), item fields (C,); lists are (1, T) and (C, T), padded with
    ``""``; vectors are (1, d) and (C, d).
    """
    signature = {}
    for name, field in spec.fields.items():
        rows = None if field.side == "item" else 1
        dtype = tf.float32 if isinstance(field, NumericField | VectorField) else tf.string
        inner = [None] if is_list(field) else vector_shape(field)
        signature[name] = tf.TensorSpec([rows, *inner], dtype, name=name)
    return signature


def as_parsed_fields(spec: FeatureSpec, inputs: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    """Bring the fields of a ranking request into the form of parsed ones: lists become sparse."""
    return {
        name: tf.sparse.from_dense(value) if is_list(spec.fields[name]) else value
        for name, value in inputs.items()
    }


def vector_shape(field: BaseField) -> list[int]:
    """Return [d] for a vector, and [] for a field of one value."""
    return [field.dimension] if isinstance(field, VectorField) else []


def _parsing(field: BaseField) -> tf.io.FixedLenFeature | tf.io.VarLenFeature:
    if isinstance(field, VectorField):
        missing = [float("nan")] * field.dimension
        return tf.io.FixedLenFeature([field.dimension], tf.float32, missing)
    if is_list(field):
        return tf.io.VarLenFeature(tf.string)
    if isinstance(field, NumericField):
        return tf.io.FixedLenFeature([], tf.float32, float("nan"))
    return tf.io.FixedLenFeature([], tf.string, "")
