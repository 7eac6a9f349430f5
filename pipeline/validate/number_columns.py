"""A check of number fields before and after Transform: finite, and of a spread to learn from."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from feature_spec.feature_layout import NUMBERS, SIDES, FeatureLayout
from feature_spec.fields.field import NumericField
from feature_spec.spec import FeatureSpec

if TYPE_CHECKING:
    from tensorflow_metadata.proto.v0 import statistics_pb2

_EXAMPLES_AT_MOST = 100_000
# Beyond, floats of 32 bits tell about a hundred values within a standard deviation apart.
_LARGEST_MEAN_IN_DEVIATIONS = 1e5
# Standard deviations in widths of a part. A log-normal number of σ = 2 has about 4 and 60.
_DROWNING_ALL, _DROWNING_HALF = 100.0, 1000.0
_SANE_DEVIATIONS = (1e-3, 1e3)


def raw_number_warnings(
    spec: FeatureSpec, statistics: statistics_pb2.DatasetFeatureStatisticsList
) -> list[str]:
    """Return a sentence for each number field whose raw values are hard to learn from.

    Args:
        spec: the feature spec.
        statistics: TFDV's statistics of the raw training examples.
    """
    (dataset,) = statistics.datasets
    features = {feature.path.step[0]: feature for feature in dataset.features}
    warnings = []
    for name, field in spec.fields.items():
        feature = features.get(name)
        if not isinstance(field, NumericField) or feature is None:
            continue
        numbers = feature.num_stats
        if numbers.common_stats.num_non_missing:
            warnings += [f"{name}: {what}" for what in _of_numbers(field, numbers)]
    return warnings


def _of_numbers(field: NumericField, numbers: statistics_pb2.NumericStatistics) -> Iterator[str]:
    mean, deviation = numbers.mean, numbers.std_dev
    if not deviation:
        yield f"is {mean:g} in all training examples, from which nothing can be learnt"
        return
    if abs(mean) / deviation > _LARGEST_MEAN_IN_DEVIATIONS:
        step = np.spacing(np.float32(max(abs(numbers.min), abs(numbers.max))))
        yield (
            f"lies around {mean:g} with a standard deviation of {deviation:g}, and floats of 32 "
            f"bits hold such numbers in steps of {step:g}: subtract a constant in the log"
        )
    if field.transform == "z_score":
        for share, low, high, limit in _spreads(numbers):
            if deviation > limit * (high - low) > 0.0:
                largest = max(numbers.max, numbers.min, key=abs)
                yield (
                    f"{share} of its values lie from {low:g} to {high:g}, but others, such as "
                    f"{largest:g}, make its standard deviation {deviation:g}, so that z-scores "
                    "hardly tell the former apart: give 'minimum' and 'maximum', or transform "
                    "'quantiles'"
                )
                return


def _spreads(
    numbers: statistics_pb2.NumericStatistics,
) -> Iterator[tuple[str, float, float, float]]:
    """Yield parts of a field's values: their share, their ends, and the deviation that drowns them.

    The deviation is a multiple of the part's width.
    """
    for histogram in numbers.histograms:
        if histogram.type == histogram.QUANTILES and len(histogram.buckets) > 1:
            low, high = histogram.buckets[0].high_value, histogram.buckets[-1].low_value
            yield "eight tenths", low, high, _DROWNING_ALL
            yield "four tenths", low, numbers.median, _DROWNING_HALF
            yield "four tenths", numbers.median, high, _DROWNING_HALF


def transformed_number_warnings(
    spec: FeatureSpec, files: Sequence[str], transform_graph: str | None = None
) -> list[str]:
    """Return a sentence for each number column that is not finite, or of no sane spread.

    Args:
        spec: the feature spec.
        files: gzipped TFRecords of training examples, of which the first 100,000 are looked at.
        transform_graph: the folder of the graph that transforms the examples; None if they are
            transformed.
    """
    warnings = []
    for name, column in _columns(spec, files, transform_graph).items():
        finite = np.isfinite(column)
        if not finite.all():
            warnings.append(
                f"{name}: {np.count_nonzero(~finite):,} of {len(column):,} training examples have "
                "a number after Transform that is not finite; look at its transform, 'minimum' and "
                "'default'"
            )
            continue
        least, most = _SANE_DEVIATIONS
        deviation = float(column.std()) if len(column) else 0.0
        if deviation and not least <= deviation <= most:
            warnings.append(
                f"{name}: its standard deviation after Transform is {deviation:g}, where 1 is usual"
            )
    return warnings


def _columns(
    spec: FeatureSpec, files: Sequence[str], transform_graph: str | None
) -> Mapping[str, np.ndarray]:
    """Return the transformed numbers of each field, float64 (B,)."""
    import tensorflow as tf

    layout = FeatureLayout(spec)
    sides = {side: list(layout.numbers(side)) for side in SIDES if layout.numbers(side)}
    if not sides or not files:
        return {}
    parse: Callable[[Any], Any]
    if transform_graph is None:
        features = {
            NUMBERS[side]: tf.io.FixedLenFeature([len(fields)], tf.float32)
            for side, fields in sides.items()
        }
        parse = functools.partial(tf.io.parse_example, features=features)
    else:
        parse = _transforming(spec, transform_graph)
    batches = (
        tf.data.TFRecordDataset(list(files), compression_type="GZIP")
        .take(_EXAMPLES_AT_MOST)
        .batch(4096)
        .map(parse)
    )
    parts: dict[str, list[np.ndarray]] = {}
    for batch in batches.as_numpy_iterator():
        for side, fields in sides.items():
            for position, name in enumerate(fields):
                parts.setdefault(name, []).append(batch[NUMBERS[side]][:, position])
    return {name: np.concatenate(found).astype(np.float64) for name, found in parts.items()}


def _transforming(spec: FeatureSpec, transform_graph: str) -> Callable[[Any], dict[str, Any]]:
    """Return a function from raw examples to numbers by side; all other fields are missing."""
    import tensorflow as tf
    import tensorflow_transform as tft

    transform = tft.TFTransformOutput(transform_graph)
    layer = transform.transform_features_layer()
    raw = transform.raw_feature_spec()
    numbers = {
        name: raw[name] for name, field in spec.fields.items() if isinstance(field, NumericField)
    }

    def transformed(examples: tf.Tensor) -> dict[str, tf.Tensor]:
        rows = tf.size(examples, tf.int64)
        fields: dict[str, Any] = tf.io.parse_example(examples, numbers)
        for name, feature in raw.items():
            if name in fields:
                continue
            if isinstance(feature, tf.io.VarLenFeature):
                nothing = tf.zeros([0], feature.dtype)
                fields[name] = tf.SparseTensor(
                    tf.zeros([0, 2], tf.int64), nothing, tf.stack([rows, 0])
                )
            else:
                fields[name] = tf.zeros([rows, *feature.shape], feature.dtype)
        packed = layer(fields)
        return {name: packed[name] for name in NUMBERS.values() if name in packed}

    return transformed
