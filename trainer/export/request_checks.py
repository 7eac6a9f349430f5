"""What the served graph refuses: inputs of another shape, and numbers that ingestion rejects.

The checks take a few operations whatever the number of fields. Texts of errors are made only where
something is wrong, and name the input, what was received and what is valid.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from feature_spec import names
from feature_spec.fields.field import NumericField, VectorField
from feature_spec.spec import FeatureSpec
from feature_spec.spec_difference import parts_text
from trainer.export.request_signature import is_list, vector_shape

_MAX = float(np.finfo(np.float32).max)
_OF_FORMULA = (names.RANKING_SCORE, names.LOG_RANKING_SCORE)
_END = tf.int32.min  # follows the sizes of a shape, and is none itself


class Bounds(NamedTuple):
    """The least and the largest valid number of a field, both float32 and finite."""

    lower: float
    upper: float


def number_bounds(field: NumericField) -> Bounds:
    """Return the bounds that hold in ingestion, as float32 rounds them and the numbers."""
    lower = -_MAX if field.minimum is None else field.minimum
    upper = _MAX if field.maximum is None else field.maximum
    rounded = np.clip([lower, upper], -_MAX, _MAX).astype(np.float32).tolist()
    return Bounds(*rounded)


def with_valid_numbers(spec: FeatureSpec, fields: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    """Return the fields of examples, in which what ingestion rejects is missing: NaN.

    Examples come in batches, and may have been ingested under other bounds: one of them is no
    reason to score none.

    Args:
        spec: the feature spec, with the bounds.
        fields: fields by name, numbers float32 (B,), vectors (B, d).
    """
    fields = {
        name: _with_whole_vectors(value, field.weights_of is not None)
        if isinstance(field := spec.fields.get(name), VectorField)
        else value
        for name, value in fields.items()
    }
    bounds = {
        name: number_bounds(field)
        for name, field in spec.fields.items()
        if isinstance(field, NumericField) and name in fields
    }
    if not bounds:
        return dict(fields)
    values = tf.stack([fields[name] for name in bounds])
    lower, upper = (tf.constant(ends)[:, tf.newaxis] for ends in zip(*bounds.values(), strict=True))
    inside = tf.logical_and(values >= lower, values <= upper)
    valid = tf.unstack(tf.where(inside, values, float("nan")), num=len(bounds))
    return {**fields, **dict(zip(bounds, valid, strict=True))}


def _with_whole_vectors(vectors: tf.Tensor, are_weights: bool) -> tf.Tensor:
    """Return vectors, (B, d), in which one that has an invalid value is missing."""
    whole = tf.reduce_all(_valid_values(vectors, are_weights), axis=1, keepdims=True)
    return tf.where(whole, vectors, float("nan"))


def _valid_values(vectors: tf.Tensor, are_weights: bool) -> tf.Tensor:
    finite = tf.math.is_finite(vectors)
    return finite & (vectors >= 0.0) if are_weights else finite


def checked_inputs(spec: FeatureSpec, inputs: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    """Return the inputs of a ranking request, which raise if something is wrong with one.

    Args:
        spec: the feature spec: fields and their bounds, and the fingerprint.
        inputs: fields as `request_signature` describes them, weights, K, and the fingerprint.

    Raises:
        tf.errors.InvalidArgumentError: the fingerprint is not this model's; or an input has
            another shape; or a weight is not finite; or a number lies outside its bounds; or K is
            below 1.
    """
    fingerprint = inputs[names.SPEC_FINGERPRINT]
    # A client of an earlier version makes its fingerprint in another way.
    equal = tf.logical_or(
        tf.equal(fingerprint, spec.fingerprint), tf.equal(fingerprint, spec.earlier_fingerprint)
    )
    agree = tf.debugging.Assert(
        tf.reduce_all(tf.reshape(_of_any_shape(equal), [-1])),
        [
            "spec fingerprint mismatch: request",
            fingerprint,
            "model",
            spec.fingerprint,
            "parts of the model's spec",
            parts_text(spec),
        ],
    )
    with tf.control_dependencies([agree]):
        # Neither TensorFlow Serving nor a session holds a request to the signature's shapes, and
        # the optimiser would take them for granted.
        free = {name: _of_any_shape(value) for name, value in inputs.items()}
    with tf.control_dependencies([_check_shapes(spec, free)]):
        # Few operations an input, because each costs every request.
        of_right_shape = tf.no_op()
        numbers = {
            name: _shaped(value, inputs[name])
            for name, value in free.items()
            if value.dtype != tf.string
        }
    checks = [of_right_shape, _check_numbers(spec, numbers), *_vector_checks(spec, numbers)]
    if names.TOP_K in numbers:
        count = numbers[names.TOP_K]
        text = f"{names.TOP_K} must be at least 1; received"
        checks.append(tf.debugging.Assert(count >= 1, [text, count]))
    with tf.control_dependencies(checks):
        right = tf.no_op()
    with tf.control_dependencies([right]):
        return {name: _shaped(value, inputs[name]) for name, value in free.items()}


def _shaped(value: tf.Tensor, like: tf.Tensor) -> tf.Tensor:
    """Return a value whose shape has been checked."""
    same = tf.identity(value)
    same.set_shape(like.shape)
    return same


def checked_scores(scores: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    """Return the scores of candidates, (C,) each, which raise if one is no finite number.

    Raises:
        tf.errors.InvalidArgumentError: a score is NaN or infinite. Valid numbers of a request may
            be so large that the network's products overflow.
    """
    # The ranking score is finite where the others and the formula's inputs are.
    of_tasks = [name for name in scores if name not in _OF_FORMULA]
    finite = tf.math.is_finite(tf.stack([scores[name] for name in of_tasks]))

    def refusal() -> tf.Tensor:
        place = tf.where(~finite)[0]
        return tf.strings.join(
            [
                "candidate ",
                tf.strings.as_string(place[1]),
                " of the request, counted from 0: ",
                tf.gather(tf.constant(of_tasks), place[0]),
                " is no finite number: a number of the request is too large for the model",
            ]
        )

    with tf.control_dependencies([_refuse_unless(tf.reduce_all(finite), refusal)]):
        return {name: tf.identity(values) for name, values in scores.items()}


def _check_shapes(spec: FeatureSpec, inputs: Mapping[str, tf.Tensor]) -> tf.Operation:
    """Check that user and context inputs have one row, and item inputs one for each candidate."""
    shapes = _shapes(inputs)
    of_items = spec.fields_of("item")
    vectors = {name: vector_shape(field) for name, field in spec.fields.items()}
    single = {
        name: [1, *vectors[name]] if name in spec.fields else []
        for name in inputs
        if name not in of_items
    }
    lists = [name for name in inputs if name in spec.fields and is_list(spec.fields[name])]
    # A list is as long as its longest: it counts with its rows, and with its rank.
    received, end = [], tf.constant([_END])
    for name in [*single, *of_items]:
        shape = shapes[name]
        received += [shape[:1], tf.shape(shape), end] if name in lists else [shape, end]
    expected = [
        tf.constant(
            [
                number
                for name, sizes in single.items()
                for number in [*sizes, *([2] if name in lists else []), _END]
            ],
            tf.int32,
        )
    ]
    if of_items:
        candidates = shapes[next(iter(of_items))][:1]
        for name in of_items:
            inner = [2] if name in lists else vectors[name]
            expected += [candidates, tf.constant([*inner, _END])]
    same = tf.raw_ops.Equal(
        x=tf.concat(received, 0), y=tf.concat(expected, 0), incompatible_shape_error=False
    )

    def refusal() -> tf.Tensor:
        rows = {name: tf.concat([shapes[name], end], 0)[0] for name in of_items}
        ranks_fit, texts = [], []
        counts = tf.stack(list(rows.values())) if rows else tf.zeros([0], tf.int32)
        # The number of candidates is what most inputs say it is.
        alike = tf.reduce_sum(tf.cast(counts[:, tf.newaxis] == counts, tf.int32), 1)
        candidates = tf.gather(counts, tf.argmax(alike)) if rows else tf.constant(1)
        count_text = tf.strings.as_string(candidates)
        for name in [*single, *of_items]:
            inner = vectors.get(name, [])
            rank = len(single.get(name, [1, *inner])) + (name in lists)
            fits = tf.equal(tf.size(shapes[name]), rank)
            if rank:
                first = tf.concat([shapes[name], end], 0)[0]
                fits &= tf.equal(first, candidates if name in of_items else 1)
            if inner:
                fits &= tf.equal(tf.concat([shapes[name], end, end], 0)[1], inner[0])
            ranks_fit.append(fits)
            texts.append(
                tf.strings.join(
                    [
                        f"input {name}: received the shape [",
                        tf.strings.reduce_join(tf.strings.as_string(shapes[name]), separator=", "),
                        "]; valid: ",
                        *_valid_shape(name in single, rank, inner, name in lists, count_text),
                    ]
                )
            )
        return _first_text(tf.logical_not(tf.stack(ranks_fit)), tf.stack(texts))

    # It is one False, without a dimension, if the ranks differ.
    return _refuse_unless(tf.reduce_all(tf.reshape(_of_any_shape(same), [-1])), refusal)


def _valid_shape(
    is_single: bool, rank: int, vector: list[int], is_a_list: bool, candidates: tf.Tensor
) -> list[tf.Tensor | str]:
    length = ", length of the list" if is_a_list else "".join(f", {size}" for size in vector)
    if is_single:
        return [f"[1{length}], one row" if rank else "[], one value"]
    return ["[", candidates, f"{length}], one row for each candidate of the request"]


def _shapes(inputs: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    """Return the shape of each input, int32 (rank,), by an operation for each dtype."""
    shapes: dict[str, tf.Tensor] = {}
    for dtype in {value.dtype for value in inputs.values()}:
        of_dtype = {name: value for name, value in inputs.items() if value.dtype == dtype}
        found = tf.raw_ops.ShapeN(input=list(of_dtype.values()), out_type=tf.int32)
        shapes |= dict(zip(of_dtype, found, strict=True))
    return shapes


def _check_numbers(spec: FeatureSpec, inputs: Mapping[str, tf.Tensor]) -> tf.Operation:
    """Check that weights are finite, and that numbers are missing or within their bounds."""
    weights = [name for name in inputs if name.startswith(names.WEIGHT_PREFIX)]
    bounds = {
        name: number_bounds(field)
        for name, field in spec.fields.items()
        if isinstance(field, NumericField)
    }
    of_request = [name for name in bounds if name not in spec.fields_of("item")]
    of_items = [name for name in bounds if name in spec.fields_of("item")]
    ends = [Bounds(-_MAX, _MAX)] * len(weights) + [bounds[name] for name in of_request]
    # A row for each input: weights and the numbers of user and context have one column.
    groups = [
        (
            [*weights, *of_request],
            ends,
            [inputs[name][tf.newaxis] for name in weights] + [inputs[name] for name in of_request],
        ),
        (of_items, [bounds[name] for name in of_items], [inputs[name] for name in of_items]),
    ]
    wrong = []
    for group, of_group, values in groups:
        if group:
            lower, upper = (tf.constant(end)[:, tf.newaxis] for end in zip(*of_group, strict=True))
            stacked = tf.stack(values)
            outside = tf.logical_or(stacked < lower, stacked > upper)
            if group is not of_items and weights:
                may_miss = tf.constant([[name not in weights] for name in group])
                outside |= tf.math.is_nan(stacked) & ~may_miss
            wrong.append((group, of_group, stacked, outside))

    def refusal() -> tf.Tensor:
        found, texts = [], []
        for group, of_group, stacked, outside in wrong:
            place = tf.concat([tf.where(outside), tf.zeros([1, 2], tf.int64)], 0)[0]
            valid = [
                "a finite number"
                if name in weights
                else f"a number from {ends.lower:.9g} to {ends.upper:.9g}, or NaN where missing"
                for name, ends in zip(group, of_group, strict=True)
            ]
            row = ["[", tf.strings.as_string(place[1]), "]"] if group is of_items else [""]
            found.append(tf.reduce_any(outside))
            texts.append(
                tf.strings.join(
                    [
                        "input ",
                        tf.gather(tf.constant(group), place[0]),
                        *row,
                        ": received ",
                        tf.strings.as_string(tf.gather_nd(stacked, place), shortest=True),
                        "; valid: ",
                        tf.gather(tf.constant(valid), place[0]),
                    ]
                )
            )
        return _first_text(tf.stack(found), tf.stack(texts))

    fine = ~tf.reduce_any(tf.stack([tf.reduce_any(outside) for *_, outside in wrong]))
    return _refuse_unless(fine, refusal)


def _vector_checks(spec: FeatureSpec, inputs: Mapping[str, tf.Tensor]) -> list[tf.Operation]:
    """Check that each vector is finite, or missing as a whole: NaN in all values."""
    checks = []
    for name, field in spec.fields.items():
        if not isinstance(field, VectorField):
            continue
        value = inputs[name]
        are_weights = field.weights_of is not None
        valid = tf.reduce_all(_valid_values(value, are_weights), axis=1)
        missing = tf.reduce_all(tf.math.is_nan(value), axis=1)
        wrong = ~(valid | missing)

        def refusal(
            name: str = name, field: VectorField = field, wrong: tf.Tensor = wrong
        ) -> tf.Tensor:
            places = tf.concat([tf.where(wrong), tf.zeros([1, 1], tf.int64)], 0)
            row = tf.strings.as_string(places[0, 0])
            return tf.strings.join(
                [
                    f"input {name}[",
                    row,
                    "]: received weights with a value that is negative or not finite; valid: "
                    f"{field.dimension} finite numbers from 0, or NaN in all of them where missing"
                    if field.weights_of is not None
                    else "]: received a vector with a value that is not finite; valid: "
                    f"{field.dimension} finite numbers, or NaN in all of them where missing",
                ]
            )

        checks.append(_refuse_unless(~tf.reduce_any(wrong), refusal))
    return checks


def _of_any_shape(value: tf.Tensor) -> tf.Tensor:
    """Return a value of whose shape nothing is known before the graph runs."""
    return tf.raw_ops.PlaceholderWithDefault(input=value, shape=tf.TensorShape(None))


def _first_text(wrong: tf.Tensor, texts: tf.Tensor) -> tf.Tensor:
    return tf.gather(texts, tf.argmax(tf.cast(wrong, tf.int32)))


def _refuse_unless(fine: tf.Tensor, text: Callable[[], tf.Tensor]) -> tf.Operation:
    """Raise InvalidArgumentError with a text, which is computed only then."""

    def refused() -> tf.Tensor:
        with tf.control_dependencies([tf.debugging.Assert(tf.constant(False), [text()])]):
            return tf.constant(False)

    return tf.cond(fine, lambda: tf.constant(True), refused).op
