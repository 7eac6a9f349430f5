"""The statistics of splits: those of TFDV's own pipeline, and exact where a check reads them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytestmark = [pytest.mark.slow, pytest.mark.tensorflow]


def example(**features: list[Any]) -> bytes:
    import tensorflow as tf

    return tf.train.Example(
        features=tf.train.Features(
            feature={
                name: tf.train.Feature(float_list=tf.train.FloatList(value=values))
                if isinstance(values[0], float)
                else tf.train.Feature(int64_list=tf.train.Int64List(value=values))
                if isinstance(values[0], int)
                else tf.train.Feature(bytes_list=tf.train.BytesList(value=values))
                for name, values in features.items()
            }
        )
    ).SerializeToString()


def examples(count: int, seed: int) -> Iterator[bytes]:
    """Examples whose features are now and then missing, of several values, or not UTF-8."""
    import numpy as np

    random = np.random.default_rng(seed)
    for _ in range(count):
        features: dict[str, list[Any]] = {
            "user_id": [b"%d" % random.integers(3000)],
            "request_key": [b"%d" % random.integers(10**9)],
            "event_time_us": [int(random.integers(10**15))],
            "age": [float(random.integers(8))],
        }
        if random.random() < 0.7:
            tags = random.choice([b"new", b"\xff\xfe", b"", b"old"], random.integers(1, 4))
            features["tags"] = tags.tolist()
        yield example(**features)


def written(folder: Path, split: str, files: list[list[bytes]]) -> list[str]:
    import tensorflow as tf

    paths = []
    for number, records in enumerate(files):
        path = folder / f"Split-{split}" / f"data_tfrecord-{number:05d}.gz"
        path.parent.mkdir(parents=True, exist_ok=True)
        with tf.io.TFRecordWriter(str(path), "GZIP") as writer:
            for record in records:
                writer.write(record)
        paths.append(str(path))
    return paths


def statistics_of(files: dict[str, list[str]], out: Path) -> dict[str, Any]:
    """The statistics that the component writes, by split."""
    import apache_beam as beam

    from pipeline.validate.statistics_gen import add_statistics

    import tensorflow_data_validation as tfdv  # isort: skip

    with beam.Pipeline("DirectRunner") as pipeline:
        add_statistics(pipeline, files, str(out))
    return {
        split: tfdv.load_stats_binary(str(out / f"Split-{split}" / "FeatureStats.pb")).datasets[0]
        for split in files
    }


def of_tfdv(file: str, out: Path) -> Any:
    import apache_beam as beam
    import tfx  # noqa: F401
    from tfx_bsl.public.tfxio import TFExampleRecord

    import tensorflow_data_validation as tfdv  # isort: skip

    with beam.Pipeline("DirectRunner") as pipeline:
        _ = (
            pipeline
            | TFExampleRecord(file, telemetry_descriptors=["test"]).BeamSource()
            | tfdv.GenerateStatistics(tfdv.StatsOptions())
            | tfdv.WriteStatisticsToBinaryFile(str(out))
        )
    return tfdv.load_stats_binary(str(out)).datasets[0]


def by_name(dataset: Any) -> dict[str, Any]:
    return {feature.path.step[0]: feature for feature in dataset.features}


def test_statistics_of_one_file_are_those_of_tfdv_but_for_the_frequency_of_keys(
    tmp_path: Path,
) -> None:
    (file,) = written(tmp_path, "train", [list(examples(900, seed=1))])
    ours = statistics_of({"train": [file]}, tmp_path / "ours")["train"]
    theirs = of_tfdv(file, tmp_path / "theirs.pb")
    assert ours.num_examples == theirs.num_examples == 900
    found, expected = by_name(ours), by_name(theirs)
    assert set(found) == set(expected)
    for field in ("unique", "top_values", "rank_histogram"):
        expected["request_key"].string_stats.ClearField(field)
    for name, feature in expected.items():
        if feature.HasField("num_stats"):
            # Sums of floats in another order.
            numbers, others = found[name].num_stats, feature.num_stats
            assert numbers.mean == pytest.approx(others.mean, rel=1e-12)
            assert numbers.std_dev == pytest.approx(others.std_dev, rel=1e-12)
            numbers.mean, numbers.std_dev = others.mean, others.std_dev
        assert found[name] == feature, name


def test_a_split_in_several_files_has_the_counts_of_all_its_examples(tmp_path: Path) -> None:
    records = [list(examples(300, seed=seed)) for seed in range(3)]
    (together,) = written(tmp_path / "one", "train", [[one for file in records for one in file]])
    files = {"train": written(tmp_path, "train", records), "whole": [together]}
    found = statistics_of(files, tmp_path / "out")
    parts, whole = by_name(found["train"]), by_name(found["whole"])
    assert found["train"].num_examples == 900
    assert parts["user_id"] == whole["user_id"]
    assert parts["tags"] == whole["tags"]
    assert parts["age"].num_stats.common_stats == whole["age"].num_stats.common_stats
    assert parts["age"].num_stats.max == whole["age"].num_stats.max


def test_a_run_gives_the_same_bytes_again(tmp_path: Path) -> None:
    records = [list(examples(200, seed=seed)) for seed in range(4)]
    files = {"train": written(tmp_path, "train", records)}
    first, second = (statistics_of(files, tmp_path / name) for name in ("a", "b"))
    assert first == second


def test_a_split_without_files_has_statistics_of_no_examples(tmp_path: Path) -> None:
    files = {"train": written(tmp_path, "train", [[example(age=[1.0])]]), "evaluation": []}
    found = statistics_of(files, tmp_path / "out")
    assert found["evaluation"].num_examples == 0
    assert not found["evaluation"].features


def test_one_bad_value_among_thousands_is_in_the_statistics(tmp_path: Path) -> None:
    # 20,000 examples are several batches; a schema's checks read these numbers.
    good = example(age=[30.0], tags=[b"new"])
    bad = [example(age=[-7.0], tags=[b"new"]), example(age=[30.0, 31.0]), example(tags=[b"new"])]
    files = {"train": written(tmp_path, "train", [[good] * 20_000, [good] * 9_999 + bad])}
    features = by_name(statistics_of(files, tmp_path / "out")["train"])
    age, tags = features["age"].num_stats, features["tags"].string_stats
    assert age.min == -7.0
    assert age.common_stats.num_missing == 1
    assert age.common_stats.max_num_values == 2
    assert tags.common_stats.num_missing == 1
    assert [(one.value, one.frequency) for one in tags.top_values] == [("new", 30_001)]


@settings(deadline=None, max_examples=30)
@given(
    st.lists(st.lists(st.sampled_from([b"a", b"b", b"c", b"\xc3"]), max_size=30), max_size=6),
    st.booleans(),
)
def test_values_are_counted_as_one_by_one_however_they_are_divided(
    batches: list[list[bytes]], compact: bool
) -> None:
    import collections

    import pyarrow as pa

    from pipeline.validate.value_counts import ValueCountsGenerator

    generator = ValueCountsGenerator(without=["key"])
    accumulators = []
    for values in batches:
        lists = pa.array([[value] for value in values], pa.large_list(pa.large_binary()))
        batch = pa.RecordBatch.from_arrays([lists, lists], ["text", "key"])
        accumulator = generator.add_input(generator.create_accumulator(), batch)
        accumulators.append(generator.compact(accumulator) if compact else accumulator)
    found = generator.extract_output(generator.merge_accumulators(accumulators))
    counted = collections.Counter(value for values in batches for value in values)
    assert [feature.path.step[0] for feature in found.features] == ["text"] * bool(batches)
    for feature in found.features:
        expected = sorted(counted.items(), key=lambda one: (one[1], one[0]), reverse=True)
        stats = feature.string_stats
        assert stats.unique == len(counted)
        assert [bucket.sample_count for bucket in stats.rank_histogram.buckets] == [
            count for _, count in expected
        ]
        assert [one.value for one in stats.top_values] == [
            "__BYTES_VALUE__" if value == b"\xc3" else value.decode() for value, _ in expected
        ]


def test_of_more_values_than_are_shown_the_most_frequent_are_and_of_equal_ones_the_largest() -> (
    None
):
    import pyarrow as pa

    from pipeline.validate.value_counts import ValueCountsGenerator

    # b"0000" to b"1499" once each, and b"0007" once more: 1,000 ranks show it and 1499 to 0501.
    values = [b"%04d" % number for number in range(1500)] + [b"0007"]
    batch = pa.RecordBatch.from_arrays([pa.array([[value] for value in values])], ["text"])
    generator = ValueCountsGenerator()
    accumulator = generator.add_input(generator.create_accumulator(), batch)
    (feature,) = generator.extract_output(accumulator).features
    shown = [bucket.label for bucket in feature.string_stats.rank_histogram.buckets]
    assert shown == ["0007", *(f"{number:04d}" for number in range(1499, 500, -1))]
    assert feature.string_stats.unique == 1500
