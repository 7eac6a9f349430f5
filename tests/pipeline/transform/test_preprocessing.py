"""The packed ids and numbers of a handful of examples, worked by hand."""

from __future__ import annotations

import tempfile

import numpy as np
import pytest

pytestmark = [pytest.mark.slow, pytest.mark.tensorflow]

SPEC = """
name: tiny
logs: {exposures: {path: x, format: jsonl}}
split: {evaluation_files: [x]}
fields:
  color: {side: user, kind: categorical, vocabulary: {min_count: 2, oov_buckets: 3}, width: 4}
  recent: {side: user, kind: sequence, shares: item, max_length: 2}
  age: {side: user, kind: numeric}
  epoch_s: {side: context, kind: numeric}
  item: {side: item, kind: categorical, width: 4}
  tags: {side: item, kind: multi_categorical, width: 4, max_length: 3}
  author: {side: item, kind: categorical, hash_buckets: 5, width: 8}
  price: {side: item, kind: numeric, transform: quantiles, buckets: 2, width: 8}
  size: {side: item, kind: numeric, transform: log1p_z_score, minimum: 0}
  shown: {side: item, kind: numeric}
  clicks: {side: item, kind: numeric, transform: log_odds, of: shown, smoothing: 2.0}
tasks:
  click: {kind: binary, label: {rule: event, column: c}, metric: auc, threshold: 0.5, tolerance: 0.1}
  buy: {kind: binary, label: {rule: event, column: b}, metric: auc, threshold: 0.5, tolerance: 0.1}
ranking_formula: {weights: {click: 1.0}}
"""

NAN = float("nan")
NAMES = (
    "color",
    "recent",
    "age",
    "item",
    "tags",
    "author",
    "price",
    "size",
    "epoch_s",
    "shown",
    "clicks",
)
# Seconds since 1970 that float32 holds, near 1.7e9 in steps of 128.
NOW_S = 1.7e9 // 128 * 128
ROWS = [
    ("red", ["a", "b"], 1.0, "a", ["x", "y"], "ann", 1.0, 0.0, NOW_S, 0.0, 0.0),
    ("red", ["a"], 3.0, "a", ["x"], "bob", 2.0, np.e - 1, NOW_S + 1280, 2.0, 1.0),
    ("blue", [], NAN, "b", [], "ann", 8.0, NAN, NOW_S + 2560, 4.0, 3.0),
    (
        "",
        ["c", "a", "b"],
        5.0,
        "",
        ["y", "x", "z", "x"],
        "",
        NAN,
        np.e**2 - 1,
        NOW_S + 3840,
        NAN,
        NAN,
    ),
]


@pytest.fixture(scope="module")
def transformed():
    import apache_beam as beam
    import tensorflow as tf
    import tensorflow_transform as tft
    import tensorflow_transform.beam as tft_beam
    from tfx_bsl.tfxio import tf_example_record

    from feature_spec.loading import parse_spec
    from pipeline.transform.preprocessing import preprocessing_fn
    from pipeline.validate.schema import schema_from_spec

    def example(row):
        features = {}
        for name, value in zip(NAMES, row, strict=True):
            if isinstance(value, float):
                if not np.isnan(value):
                    features[name] = tf.train.Feature(float_list=tf.train.FloatList(value=[value]))
            elif value:
                texts = [value] if isinstance(value, str) else value
                features[name] = tf.train.Feature(
                    bytes_list=tf.train.BytesList(value=[text.encode() for text in texts])
                )
        for name, value in (
            ("label_of_click", 1.0),
            ("mask_of_click", 1.0),
            ("label_of_buy", 0.0),
            ("mask_of_buy", 0.0),
        ):
            features[name] = tf.train.Feature(float_list=tf.train.FloatList(value=[value]))
        return tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString()

    schema = schema_from_spec(parse_spec(SPEC))
    tfxio = tf_example_record.TFExampleBeamRecord(physical_format="inmem", schema=schema)
    folder = tempfile.mkdtemp()
    with (
        beam.Pipeline(
            options=beam.options.pipeline_options.PipelineOptions(
                ["--direct_running_mode=in_memory"]
            )
        ) as pipeline,
        tft_beam.Context(temp_dir=tempfile.mkdtemp(), use_deep_copy_optimization=True),
    ):
        batches = pipeline | beam.Create([example(row) for row in ROWS]) | tfxio.BeamSource()
        (_, _), transform_fn = (
            batches,
            tfxio.TensorAdapterConfig(),
        ) | tft_beam.AnalyzeAndTransformDataset(
            lambda inputs: preprocessing_fn(inputs, {"spec": SPEC})
        )
        transform_fn | tft_beam.WriteTransformFn(folder)
    output = tft.TFTransformOutput(folder)
    layer = output.transform_features_layer()
    inputs = {
        name: tf.constant([row[position] for row in ROWS])
        for position, name in enumerate(NAMES)
        if name not in ("recent", "tags")
    }
    for position, name in ((1, "recent"), (4, "tags")):
        inputs[name] = tf.ragged.constant(
            [row[position] for row in ROWS], dtype=tf.string
        ).to_sparse()
    request = {name: inputs[name] for name in ("color", "recent", "age", "epoch_s")}
    candidate = {name: inputs[name] for name in inputs if name not in request}
    return {
        name: tensor.numpy() for name, tensor in {**layer(request), **layer(candidate)}.items()
    }, output.vocabulary_by_name("vocabulary_4")


# Rows of width 4: color missing 0, OOV 1–3; item missing 4, OOV 5; tags missing 6, OOV 7;
# vocabulary from 8 on. Rows of width 8: author missing 0, hash buckets 1–5; price missing 6,
# buckets 7 and 8. Weights: tags x 3, tags y 2, item a 2, tags z 1, item b 1, and color red 2 · ½ =
# 1; color blue with ½ stays out. Equal weights stand in reverse alphabetical order.


def test_one_vocabulary_serves_all_fields_of_a_width_each_with_its_own_minimum_count(transformed):
    _, vocabulary = transformed
    assert vocabulary == [
        b"tags\x1fx",
        b"tags\x1fy",
        b"item\x1fa",
        b"tags\x1fz",
        b"item\x1fb",
        b"color\x1fred",
    ]


def test_a_known_value_has_its_vocabulary_row_and_a_missing_one_its_own(transformed):
    features, _ = transformed
    color, item = features["request_ids"][:, 0], features["candidate_ids"][:, 0]
    assert (color[0], color[1], color[3]) == (13, 13, 0)
    assert list(item) == [10, 10, 12, 4]


def test_a_value_below_the_minimum_count_goes_to_an_oov_bucket_of_its_field(transformed):
    features, _ = transformed
    assert features["request_ids"][2, 0] in (1, 2, 3)


def test_a_sequence_reads_the_rows_of_the_field_it_shares_and_is_cut_and_padded(transformed):
    features, _ = transformed
    # [a, b], [a], [], [c, a, b] with max_length 2; c is no item of the data: item's OOV row 5.
    assert features["request_ids"][:, 1:].tolist() == [[10, 12], [10, 4], [4, 4], [5, 10]]


def test_tags_are_cut_and_padded_in_order(transformed):
    features, _ = transformed
    assert features["candidate_ids"][:, 1:4].tolist() == [
        [8, 9, 6],
        [8, 6, 6],
        [6, 6, 6],
        [9, 8, 11],
    ]


def test_a_hashed_value_stays_within_its_buckets(transformed):
    features, _ = transformed
    author = features["candidate_ids"][:, 4]
    assert author[0] == author[2]
    assert all(1 <= row <= 5 for row in author[:3])
    assert author[3] == 0


def test_quantile_buckets_ignore_missing_numbers(transformed):
    features, _ = transformed
    # The median of 1, 2, 8 is 2, which begins the upper bucket.
    assert features["candidate_ids"][:, 5].tolist() == [7, 8, 8, 6]


def test_z_scores_put_a_missing_number_at_the_mean(transformed):
    features, _ = transformed
    # 1, 3, 5: mean 3, standard deviation √(8/3). log1p of the sizes: 0, 1, 2: mean 1, standard
    # deviation √(2/3).
    assert features["request_numbers"][:, 0] == pytest.approx(
        [-2 / (8 / 3) ** 0.5, 0, 0, 2 / (8 / 3) ** 0.5]
    )
    assert features["candidate_numbers"][:, 0] == pytest.approx(
        [-1 / (2 / 3) ** 0.5, 0, 0, 1 / (2 / 3) ** 0.5], abs=1e-6
    )


def test_z_scores_of_large_numbers_with_little_spread_are_exact(transformed):
    features, _ = transformed
    # Deviations of -1920, -640, 640, 1920 s: variance (1920² + 640²) / 2.
    deviation = ((1920**2 + 640**2) / 2) ** 0.5
    assert features["request_numbers"][:, 1] == pytest.approx(
        [-1920 / deviation, -640 / deviation, 640 / deviation, 1920 / deviation], rel=1e-5
    )
    assert features["request_numbers"].dtype == np.float32


def test_a_sum_over_events_becomes_the_log_odds_of_its_smoothed_rate(transformed):
    features, _ = transformed
    # p₀ = (4 + ½) / (6 + 1) = 9/14. Rates: 9/14 without events, (1 + 9/7) / 4 = 4/7,
    # (3 + 9/7) / 6 = 5/7, and 9/14 where missing.
    log_odds = np.log([9 / 5, 4 / 3, 5 / 2, 9 / 5])
    assert features["candidate_numbers"][:, 2] == pytest.approx(
        (log_odds - log_odds.mean()) / log_odds.std(), rel=1e-5
    )
