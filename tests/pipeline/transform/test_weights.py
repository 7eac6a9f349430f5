"""Weights of examples are packed into the masks of all tasks."""

from __future__ import annotations

import numpy as np
import pytest

tf = pytest.importorskip("tensorflow")
from pipeline.transform.preprocessing import preprocessing_fn  # noqa: E402

pytestmark = pytest.mark.tensorflow

SPEC = """
name: tiny
logs: {exposures: {path: x, format: jsonl}}
split: {evaluation_files: [x]}
fields: {item: {side: item, kind: categorical, hash_buckets: 5}}
tasks:
  click: {kind: binary, label: {rule: event, column: c}, metric: auc}
  buy: {kind: binary, label: {rule: event, column: b}, metric: auc}
ranking_formula: {weights: {click: 1.0}}
"""


def _masks(spec: str, **more: list[float]) -> list[list[float]]:
    inputs = {name: tf.constant(values) for name, values in more.items()}
    for task, mask in (("click", [1.0, 1.0, 1.0]), ("buy", [0.0, 1.0, 1.0])):
        inputs |= {
            f"label_of_{task}": tf.constant([1.0, 0.0, 1.0]),
            f"mask_of_{task}": tf.constant(mask),
        }
    inputs["item"] = tf.constant(["a", "b", "c"])
    return np.asarray(preprocessing_fn(inputs, {"spec": spec})["masks"]).tolist()


def test_masks_are_weights_inside_the_sample_space() -> None:
    weighted = SPEC + "weight: {column: any}"
    masks = _masks(weighted, weight_of_example=[0.5, 2.0, 0.0])
    assert masks == [[0.5, 0.0], [2.0, 2.0], [0.0, 0.0]]


def test_masks_are_ones_without_weights() -> None:
    assert _masks(SPEC) == [[1.0, 0.0], [1.0, 1.0], [1.0, 1.0]]
