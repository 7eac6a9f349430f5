"""Raw fields as tensors: parsed from stored examples, or sent in a ranking request."""

from __future__ import annotations

from collections.abc import Mapping

import tensorflow as tf

from feature_spec import names
from feature_spec.fields.field import BaseField, MultiCategoricalField, NumericField, SequenceField
from feature_spec.spec import FeatureSpec


def is_list(field: BaseField) -> bool:
    """Tell whether a field has several values."""
    return isinstance(field, MultiCategoricalField | SequenceField)


def parsed_fields(spec: FeatureSpec, examples: tf.Tensor) -> dict[str, tf.Tensor]:
    """Parse the raw fields of serialized tf.Examples, (B,).

    Returns:
        Text or float (B,), with ``""`` or NaN where missing; lists as sparse text (B, T).
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
    ``""``.
    """
    signature = {}
    for name, field in spec.fields.items():
        rows = None if field.side == "item" else 1
        dtype = tf.float32 if isinstance(field, NumericField) else tf.string
        signature[name] = tf.TensorSpec(
            [rows, None] if is_list(field) else [rows], dtype, name=name
        )
    return signature


def as_parsed_fields(spec: FeatureSpec, inputs: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    """Bring the fields of a ranking request into the form of parsed ones: lists become sparse."""
    return {
        name: tf.sparse.from_dense(value) if is_list(spec.fields[name]) else value
        for name, value in inputs.items()
    }


def _parsing(field: BaseField) -> tf.io.FixedLenFeature | tf.io.VarLenFeature:
    if is_list(field):
        return tf.io.VarLenFeature(tf.string)
    if isinstance(field, NumericField):
        return tf.io.FixedLenFeature([], tf.float32, float("nan"))
    return tf.io.FixedLenFeature([], tf.string, "")
