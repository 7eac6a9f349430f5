"""`preprocessing_fn`: raw fields to packed ids and numbers, frozen in the transform graph.

Every value of a field with a vocabulary is analysed as the token `<field>⟨separator⟩<value>`, so
that one analysis and one lookup serve all fields of an embedding width. The lookup needs no tokens,
see `VocabularyTable`. `feature_spec.feature_layout` says which row a token, a bucket or a missing
value has.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import tensorflow as tf
import tensorflow_transform as tft

from feature_spec import names
from feature_spec.feature_layout import (
    IDS,
    LIST_WEIGHTS,
    NUMBERS,
    PARTS,
    SIDES,
    TOKEN_SEPARATOR,
    VECTORS,
    FeatureLayout,
    Part,
    Slot,
    vocabulary_file,
)
from feature_spec.fields.field import CategoricalField, NumericField
from feature_spec.loading import parse_spec
from feature_spec.spec import FeatureSpec
from pipeline.transform.vocabulary_table import VocabularyTable, fingerprints, keys

# A count of exactly min_count must reach 1.0 although the sum of min_count times 1/min_count may
# fall just below it.
_ROUNDING = 1.0 + 1e-6


def preprocessing_fn(
    inputs: Mapping[str, Any], custom_config: Mapping[str, Any]
) -> dict[str, tf.Tensor]:
    """Pack the fields of a batch.

    Args:
        inputs: fields by name, as text or float (B,), as sparse text (B, T) or as vectors (B, d);
            labels, masks and weights as float (B,).
        custom_config: a dictionary with `spec`, the text of the feature spec.

    Returns:
        Ids (B, Σ length) int64 and numbers (B, N) float32 for the request and the candidate side
        where the spec has any; vectors (B, Σ dimension) of each side likewise, NaN where missing;
        weights of lists (B, Σ max_length), of which the largest of each list is 1;
        ids of the fields that only training has; and labels and masks (B, K) float32, masks times
        the weights of examples if there are any.
    """
    spec = parse_spec(custom_config["spec"])
    feature_layout = FeatureLayout(spec)
    outputs = {}
    texts = {part: _texts(spec, feature_layout.slots(part), inputs) for part in PARTS}
    vocabularies = {
        width: VocabularyTable(_analyze_vocabulary(feature_layout, width, texts))
        for width in feature_layout.widths
        if feature_layout.has_vocabulary(width)
    }
    buckets = _quantile_buckets(spec, inputs)
    scaled = _scaled_numbers(spec, inputs)
    for part in PARTS:
        if slots := feature_layout.slots(part):
            outputs[IDS[part]] = _ids(feature_layout, slots, texts[part], buckets, vocabularies)
    for side in SIDES:
        if numbers := feature_layout.numbers(side):
            outputs[NUMBERS[side]] = tf.stack([scaled[name] for name in numbers], axis=1)
        if vectors := feature_layout.vectors(side):
            outputs[VECTORS[side]] = tf.concat([inputs[name] for name in vectors], axis=1)
        if weights := feature_layout.list_weights(side):
            scaled_weights = [_scaled_weights(inputs[name]) for name in weights]
            outputs[LIST_WEIGHTS[side]] = tf.concat(scaled_weights, axis=1)
    outputs[names.LABELS] = tf.stack(
        [inputs[names.label_name(task)] for task in spec.tasks], axis=1
    )
    masks = tf.stack([inputs[names.mask_name(task)] for task in spec.tasks], axis=1)
    # A mask is how much an example counts for a task.
    outputs[names.MASKS] = (
        masks * inputs[names.EXAMPLE_WEIGHT][:, tf.newaxis] if spec.weight is not None else masks
    )
    return outputs


def _scaled_weights(weights: tf.Tensor) -> tf.Tensor:
    """Scale the weights of lists, (B, T), to at most 1, so that no sum overflows; 1 if missing."""
    known = tf.where(tf.math.is_nan(weights), tf.ones_like(weights), weights)
    return tf.math.divide_no_nan(known, tf.reduce_max(known, axis=1, keepdims=True))


def _texts(spec: FeatureSpec, slots: list[Slot], inputs: Mapping[str, Any]) -> dict[str, tf.Tensor]:
    """Return the texts of each slot, (B, length), with ``""`` where missing or after the end."""
    texts = {}
    for slot in slots:
        field, value = spec.fields[slot.name], inputs[slot.name]
        if isinstance(field, NumericField):
            continue
        if isinstance(field, CategoricalField):
            known = (
                tf.where(tf.equal(value, ""), tf.constant(field.default), value)
                if field.default
                else value
            )
            texts[slot.name] = tf.reshape(known, [-1, 1])
        else:
            dense = tf.sparse.to_dense(value, default_value="")[:, : slot.length]
            padded = tf.pad(
                dense, [[0, 0], [0, slot.length - tf.shape(dense)[1]]], constant_values=""
            )
            padded.set_shape([None, slot.length])
            texts[slot.name] = padded
    return texts


def _analyze_vocabulary(
    feature_layout: FeatureLayout, width: int, texts: dict[Part, dict[str, tf.Tensor]]
) -> tf.Tensor:
    """Return the file of the vocabulary of an embedding width.

    A value weighs 1/min_count of its field, so that one threshold of 1 serves all fields.
    """
    tokens, weights = [], []
    for part, of_part in texts.items():
        for slot in feature_layout.slots(part):
            # A sequence looks up the vocabulary that its shared field has learnt.
            if slot.width == width and slot.vocabulary and slot.source == slot.name:
                text = of_part[slot.name]
                tokens.append(tf.strings.join([_prefix(slot), text]))
                weight = _ROUNDING / slot.vocabulary.min_count
                weights.append(
                    tf.where(
                        tf.equal(text, ""),
                        0.0,
                        tf.fill(tf.shape(text), tf.constant(weight, tf.float32)),
                    )
                )
    return tft.vocabulary(
        tf.concat(tokens, axis=1),
        weights=tf.concat(weights, axis=1),
        frequency_threshold=1.0,
        vocab_filename=vocabulary_file(width),
    )


def _prefix(slot: Slot) -> str:
    return slot.source + TOKEN_SEPARATOR


def _ids(
    feature_layout: FeatureLayout,
    slots: list[Slot],
    texts: dict[str, tf.Tensor],
    buckets: dict[str, tf.Tensor],
    vocabularies: dict[int, VocabularyTable],
) -> tf.Tensor:
    """Return the rows (B, Σ length) of all slots of a side, in order."""
    columns: dict[str, tf.Tensor] = {}
    for width, vocabulary in vocabularies.items():
        looked_up = [slot for slot in slots if slot.width == width and slot.vocabulary]
        if looked_up:
            columns |= _vocabulary_rows(
                looked_up, texts, vocabulary, feature_layout.reserved_rows(width)
            )
    for slot in slots:
        if slot.name in buckets:
            columns[slot.name] = buckets[slot.name] + slot.rows.missing
        elif slot.vocabulary is None:
            text = texts[slot.name]
            hashed = (
                tf.strings.to_hash_bucket_fast(text, slot.rows.buckets) + slot.rows.first_bucket
            )
            columns[slot.name] = tf.where(
                tf.equal(text, ""), tf.constant(slot.rows.missing, tf.int64), hashed
            )
    return tf.concat([columns[slot.name] for slot in slots], axis=1)


def _vocabulary_rows(
    slots: list[Slot], texts: dict[str, tf.Tensor], vocabulary: VocabularyTable, first_row: int
) -> dict[str, tf.Tensor]:
    """Return the rows of all slots of a width by one lookup.

    Unknown values are hashed to the OOV buckets of their field.
    """
    lengths = [slot.length for slot in slots]

    def of_columns(values: list[Any], dtype: tf.DType = tf.int64) -> tf.Tensor:
        return tf.constant(
            [value for value, length in zip(values, lengths, strict=True) for _ in range(length)],
            dtype,
        )

    # A ranking request has few rows, so operations cost most: one operation for all slots takes
    # less time than one for each slot.
    values = tf.concat([fingerprints(texts[slot.name]) for slot in slots], axis=1)
    fields = fingerprints(of_columns([slot.source for slot in slots], tf.string))
    key = keys(fields, values)
    entry = vocabulary.entries(key)
    unknown = key % of_columns([slot.rows.buckets for slot in slots]) + of_columns(
        [slot.rows.first_bucket for slot in slots]
    )
    rows = tf.where(entry >= 0, entry + first_row, unknown)
    missing = of_columns([slot.rows.missing for slot in slots])
    rows = tf.where(tf.equal(values, fingerprints(tf.constant(""))), missing, rows)
    parts = tf.split(rows, lengths, axis=1)
    return {slot.name: part for slot, part in zip(slots, parts, strict=True)}


def _with_default(field: NumericField, value: tf.Tensor) -> tf.Tensor:
    return (
        value
        if field.default is None
        else tf.where(tf.math.is_nan(value), tf.constant(field.default, tf.float32), value)
    )


def _quantile_buckets(spec: FeatureSpec, inputs: Mapping[str, Any]) -> dict[str, tf.Tensor]:
    """Return each field with transform `quantiles`, (B, 1): 0 if missing, else 1 + its bucket."""
    result = {}
    for name, field in spec.fields.items():
        if isinstance(field, NumericField) and field.transform == "quantiles":
            value = _with_default(field, inputs[name])
            known = tf.math.logical_not(tf.math.is_nan(value))
            boundaries = tft.quantiles(value, field.buckets, epsilon=0.1 / field.buckets)
            bucket = tft.apply_buckets(tf.where(known, value, tf.zeros_like(value)), boundaries)
            result[name] = tf.where(known, bucket + 1, tf.zeros_like(bucket))[:, tf.newaxis]
    return result


def _scaled_numbers(spec: FeatureSpec, inputs: Mapping[str, Any]) -> dict[str, tf.Tensor]:
    """Return each z-scored field, (B,), with 0, the mean, where missing.

    One analysis serves all fields, in float64: in float32 the moments of large numbers with little
    spread, such as seconds since 1970, would be wrong.
    """
    scored = {
        name: field
        for name, field in spec.fields.items()
        if isinstance(field, NumericField) and field.transform != "quantiles"
    }
    result: dict[str, tf.Tensor] = {}
    for sides in (("user", "context"), ("item",)):
        columns = []
        in_side = {name: field for name, field in scored.items() if field.side in sides}
        rates = _rates({name: field for name, field in in_side.items() if field.is_rate}, inputs)
        for name, field in in_side.items():
            value = tf.cast(_with_default(field, inputs[name]), tf.float64)
            if field.transform == "log1p_z_score":
                value = tf.math.log1p(value)
            columns.append(rates.get(name, value))
        if columns:
            z_scores = tft.scale_to_z_score(tf.stack(columns, axis=1), elementwise=True)
            z_scores = tf.where(tf.math.is_nan(z_scores), tf.zeros_like(z_scores), z_scores)
            z_scores = tf.cast(z_scores, tf.float32)
            result |= {name: z_scores[:, position] for position, name in enumerate(in_side)}
    return result


def _rates(fields: Mapping[str, NumericField], inputs: Mapping[str, Any]) -> dict[str, tf.Tensor]:
    """Return the smoothed rate or log odds of each sum over events, float64 (B,).

    A sum without events, or that is missing, has the rate p₀ of all examples: the sum of their sums
    over that of their events.
    """
    if not fields:
        return {}

    def stacked(names_of: list[str]) -> tf.Tensor:
        values = tf.stack([tf.cast(inputs[name], tf.float64) for name in names_of], axis=1)
        return tf.where(tf.math.is_nan(values), tf.zeros_like(values), values)

    sums = stacked(list(fields))
    events = stacked([str(field.of) for field in fields.values()])
    total = tft.sum(tf.stack([sums, events], axis=1), reduce_instance_dims=False)
    # Without any event, the odds are even.
    prior = (total[0] + 0.5) / (total[1] + 1.0)
    weight = tf.constant([field.smoothing for field in fields.values()], tf.float64)
    rate = (sums + weight * prior) / (events + weight)
    # Values of a request may contradict each other, such as more clicks than exposures.
    inside = tf.clip_by_value(rate, 1e-9, 1.0 - 1e-9)
    log_odds = tf.math.log(inside) - tf.math.log1p(-inside)
    return {
        name: (log_odds if field.transform == "log_odds" else rate)[:, position]
        for position, (name, field) in enumerate(fields.items())
    }
