"""Histories of a run in numbers, from the statistics of its examples."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from tensorflow_metadata.proto.v0 import statistics_pb2

from feature_spec.histories.histories import Histories, HistorySequence
from feature_spec.histories.history_fields import AGE, count_columns, sequence_columns
from feature_spec.histories.history_table import known_text
from feature_spec.names import EVALUATION, TRAIN
from feature_spec.spec import FeatureSpec
from feature_spec.tasks.task import Task
from pipeline.workspace.artifact_files import is_file, read_bytes

# In a folder of a split.
_STATISTICS = "Split-{}/FeatureStats.pb"


@dataclass(frozen=True, kw_only=True)
class HistoryPart:
    """A history in the examples of one split.

    Attributes:
        empty_share: the share of examples without a key, or with nothing before.
        mean, deviation: of the exposures before, among examples with a key; for a sequence, the
            mean length of those that are not empty, and nothing.
        tenths: the ends of the tenths of examples by exposures, from the fewest to the most; of a
            sequence by length, without empty ones.
        ages: the share of a sequence's exposures by `age_token`.
    """

    empty_share: float
    mean: float
    deviation: float | None = None
    tenths: list[float] = dataclasses.field(default_factory=list)
    ages: dict[str, float] = dataclasses.field(default_factory=dict)

    @property
    def median(self) -> float:
        """The middle of the tenths."""
        return self.tenths[len(self.tenths) // 2] if self.tenths else self.mean


@dataclass(frozen=True, kw_only=True)
class HistoryNumbers:
    """A count with one of its windows, or a sequence.

    Attributes:
        name: the name, with the window, such as ``video_1d``.
        by: the fields of the key.
        max_length: the longest that a sequence can be; None for a count.
        parts: the numbers of each split.
    """

    name: str
    by: list[str]
    max_length: int | None
    parts: dict[str, HistoryPart]

    @property
    def shift(self) -> float | None:
        """How far the evaluation's mean lies from the training's, in standard deviations."""
        train, evaluation = self.parts.get(TRAIN), self.parts.get(EVALUATION)
        if train is None or evaluation is None or not train.deviation:
            return None
        return (evaluation.mean - train.mean) / train.deviation


@dataclass(frozen=True, kw_only=True)
class RunHistories:
    """The histories of a run.

    Attributes:
        known: when feedback counts and how long histories warm up, in words.
        histories: the numbers of each, in the order of the spec.
    """

    known: str
    histories: list[HistoryNumbers]


def read_histories(spec: FeatureSpec, statistics: str) -> RunHistories | None:
    """Return the histories of a run; None if its spec has none.

    Args:
        spec: the spec of the run.
        statistics: the folder or URI of an ExampleStatistics artifact.
    """
    if spec.histories is None:
        return None
    features = {
        split: _features(path)
        for split in (TRAIN, EVALUATION)
        if is_file(path := f"{statistics}/{_STATISTICS.format(split)}")
    }
    return RunHistories(
        known=known_text(spec.histories),
        histories=list(_histories(spec.histories, spec.tasks, features)),
    )


class _Feature:
    """Statistics of one feature, and the number of all examples."""

    def __init__(self, of: statistics_pb2.FeatureNameStatistics, examples: int) -> None:
        self.numbers, self.texts, self.examples = of.num_stats, of.string_stats, examples


_Features = Mapping[str, _Feature]


def _features(path: str) -> dict[str, _Feature]:
    read = statistics_pb2.DatasetFeatureStatisticsList.FromString(read_bytes(path))
    whole = read.datasets[0]
    return {
        feature.path.step[0]: _Feature(feature, whole.num_examples) for feature in whole.features
    }


def _histories(
    histories: Histories, tasks: Mapping[str, Task], splits: Mapping[str, _Features]
) -> Iterator[HistoryNumbers]:
    for name, count in histories.counts.items():
        for columns in count_columns(name, count, tasks):
            yield HistoryNumbers(
                name=columns.shown.removesuffix("_shown"),
                by=count.by,
                max_length=None,
                parts={
                    split: _count_part(features[columns.shown])
                    for split, features in splits.items()
                    if columns.shown in features
                },
            )
    for name, sequence in histories.sequences.items():
        yield HistoryNumbers(
            name=name,
            by=sequence.by,
            max_length=sequence.max_length,
            parts={
                split: part
                for split, features in splits.items()
                if (part := _sequence_part(name, sequence, features)) is not None
            },
        )


def _count_part(feature: _Feature) -> HistoryPart:
    numbers = feature.numbers
    empty = numbers.common_stats.num_missing + numbers.num_zeros
    return HistoryPart(
        empty_share=empty / feature.examples if feature.examples else 0.0,
        mean=numbers.mean,
        deviation=numbers.std_dev,
        tenths=_tenths(numbers.histograms),
    )


def _sequence_part(name: str, sequence: HistorySequence, features: _Features) -> HistoryPart | None:
    columns = sequence_columns(name, sequence)
    # Every exposure has an age, but a field may be missing.
    column = columns.get(AGE, columns[sequence.fields[0]])
    if column not in features:
        return None
    feature = features[column]
    texts = feature.texts
    entries = texts.common_stats.tot_num_values
    is_age = AGE in columns and AGE not in sequence.fields
    return HistoryPart(
        empty_share=texts.common_stats.num_missing / feature.examples if feature.examples else 0.0,
        mean=texts.common_stats.avg_num_values,
        tenths=_tenths([texts.common_stats.num_values_histogram]),
        ages={
            bucket.label: bucket.sample_count / entries for bucket in texts.rank_histogram.buckets
        }
        if is_age and entries
        else {},
    )


def _tenths(histograms: object) -> list[float]:
    quantiles = statistics_pb2.Histogram.HistogramType.QUANTILES
    for histogram in histograms:  # type: ignore[attr-defined]
        if histogram.type == quantiles and histogram.buckets:
            buckets = histogram.buckets
            return [buckets[0].low_value, *(bucket.high_value for bucket in buckets)]
    return []
