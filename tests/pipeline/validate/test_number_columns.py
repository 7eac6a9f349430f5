"""Number fields that are hard to learn from are told, before and after Transform."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from feature_spec.loading import parse_spec

pytestmark = [pytest.mark.slow, pytest.mark.tensorflow]

SPEC = """
name: tiny
logs: {exposures: {path: x, format: jsonl}}
split: {evaluation_files: [x]}
fields:
  age: {side: user, kind: numeric}
  price: {side: item, kind: numeric}
  item: {side: item, kind: categorical}
tasks:
  click: {kind: binary, label: {rule: event, column: c}, metric: auc, threshold: 0.5, tolerance: 0.1}
ranking_formula: {weights: {click: 1.0}}
"""


def _raw_warnings(**columns: Any) -> list[str]:
    import pandas as pd
    import tfx  # noqa: F401

    from pipeline.validate.number_columns import raw_number_warnings

    import tensorflow_data_validation as tfdv  # isort: skip

    statistics = tfdv.generate_statistics_from_dataframe(pd.DataFrame(columns))
    return raw_number_warnings(parse_spec(SPEC), statistics)


NORMAL = np.random.default_rng(0).normal(5.0, 2.0, 5000)


@pytest.mark.parametrize(
    "values", [NORMAL, np.exp(NORMAL), (NORMAL > 8).astype(float), np.full(5000, np.nan)]
)
def test_usual_numbers_are_not_told(values: np.ndarray) -> None:
    assert _raw_warnings(price=values, age=NORMAL, item=["a"] * 5000) == []


@pytest.mark.parametrize("huge", [1e6, -1e6, 1e30, 3e38])
@pytest.mark.parametrize("count", [1, 50])
def test_a_value_that_drowns_the_others_is_told(huge: float, count: int) -> None:
    (warning,) = _raw_warnings(price=np.concatenate([NORMAL, np.full(count, huge)]))
    assert warning.startswith("price: eight tenths of its values lie from ")
    assert f"such as {huge:g}, make its standard deviation" in warning


def test_a_third_of_huge_values_drowns_the_rest() -> None:
    (warning,) = _raw_warnings(price=[1e-30, 5.0, 1e30] * 100)
    assert warning.startswith("price: four tenths of its values lie from 1e-30 to 5, but others")


@pytest.mark.parametrize("offset", [1.7e9, -1.7e9, 1e12])
def test_numbers_that_floats_of_32_bits_hold_in_large_steps_are_told(offset: float) -> None:
    (warning,) = _raw_warnings(age=offset + NORMAL * 1000)
    assert warning.startswith(f"age: lies around {offset:g} with a standard deviation of ")


def test_a_number_that_is_the_same_everywhere_is_told() -> None:
    (warning,) = _raw_warnings(age=np.full(100, 7.0))
    assert warning.startswith("age: is 7 in all training examples")


def _transformed_warnings(path: Path, ages: Any, prices: Any) -> list[str]:
    import pyarrow as pa
    import tensorflow as tf

    from pipeline.ingest.formats.tfrecords import framed
    from pipeline.validate.number_columns import transformed_number_warnings

    def numbers(value: float) -> Any:
        return tf.train.Feature(float_list=tf.train.FloatList(value=[value]))

    examples = [
        tf.train.Example(
            features=tf.train.Features(
                feature={"request_numbers": numbers(age), "candidate_numbers": numbers(price)}
            )
        ).SerializeToString()
        for age, price in zip(ages, prices, strict=True)
    ]
    path.write_bytes(gzip.compress(bytes(framed(pa.array(examples, pa.binary())))))
    return transformed_number_warnings(parse_spec(SPEC), [str(path)])


@pytest.mark.parametrize("bad", [np.inf, -np.inf, np.nan])
def test_a_number_that_is_not_finite_after_transform_is_told(tmp_path: Path, bad: float) -> None:
    (warning,) = _transformed_warnings(tmp_path / "x.gz", [0.0, 1.0, -1.0], [1.0, bad, bad])
    assert warning.startswith("price: 2 of 3 training examples have a number after Transform")


@pytest.mark.parametrize("scale", [1e-6, 1e6])
def test_a_spread_that_is_not_sane_after_transform_is_told(tmp_path: Path, scale: float) -> None:
    warnings = _transformed_warnings(tmp_path / "x.gz", [scale, -scale], [1.0, -1.0])
    assert warnings == [
        f"age: its standard deviation after Transform is {scale:g}, where 1 is usual"
    ]


def test_no_transformed_examples_have_nothing_to_tell(tmp_path: Path) -> None:
    assert _transformed_warnings(tmp_path / "x.gz", [], []) == []


def test_what_is_no_number_reaches_the_graph_as_missing_in_its_own_shape(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import pyarrow as pa
    import tensorflow as tf
    import tensorflow_transform as tft

    from pipeline.ingest.formats.tfrecords import framed
    from pipeline.validate.number_columns import transformed_number_warnings

    received: dict[str, Any] = {}

    class Graph:
        """A graph that packs the numbers as they are, of a spec with a vector and tags, too."""

        def __init__(self, folder: str) -> None:
            pass

        def raw_feature_spec(self) -> dict[str, Any]:
            numbers = {
                name: tf.io.FixedLenFeature([], tf.float32, 0.0) for name in ("age", "price")
            }
            return numbers | {
                "item": tf.io.FixedLenFeature([], tf.string, ""),
                "look": tf.io.FixedLenFeature([2], tf.float32, [0.0, 0.0]),
                "tags": tf.io.VarLenFeature(tf.string),
            }

        def transform_features_layer(self) -> Any:
            def layer(fields: dict[str, Any]) -> dict[str, Any]:
                received.update({name: value.shape.as_list() for name, value in fields.items()})
                return {
                    "request_numbers": fields["age"][:, None],
                    "candidate_numbers": fields["price"][:, None],
                }

            return layer

    monkeypatch.setattr(tft, "TFTransformOutput", Graph)
    numbers = {
        name: tf.train.Feature(float_list=tf.train.FloatList(value=[2.0]))
        for name in ("age", "price")
    }
    example = tf.train.Example(features=tf.train.Features(feature=numbers)).SerializeToString()
    file = tmp_path / "x.gz"
    file.write_bytes(gzip.compress(bytes(framed(pa.array([example] * 3, pa.binary())))))
    assert transformed_number_warnings(parse_spec(SPEC), [str(file)], "graph") == []
    assert received == {
        "age": [None], "price": [None], "item": [None], "look": [None, 2], "tags": [None, 0],
    }  # fmt: skip
