"""The share of training examples that had each field, by their transformed features."""

from __future__ import annotations

import numpy as np

from feature_spec.feature_layout import FeatureLayout
from feature_spec.loading import parse_spec
from trainer.export.field_presence import field_presence

SPEC = parse_spec(
    """
name: tiny
logs: {exposures: {path: a, format: jsonl}}
split: {evaluation_files: [a]}
fields:
  color: {side: user, kind: categorical, embedding: 4}
  grade: {side: user, kind: categorical, default: none, embedding: 4}
  age: {side: user, kind: numeric}
  tags: {side: item, kind: multi_categorical, max_length: 2, embedding: 4}
tasks:
  click: {kind: binary, label: {rule: event, column: a}, metric: auc, threshold: 0.5, tolerance: 0.1}
ranking_formula: {weights: {click: 1}}
""".replace(", embedding: 4", "")
)


def test_a_field_is_there_unless_it_has_the_row_of_missing_values_or_a_score_of_0() -> None:
    layout = FeatureLayout(SPEC)
    color, grade = (layout.rows[name].missing for name in ("color", "grade"))
    tags = layout.rows["tags"].missing
    columns = {
        # color, grade
        "request_ids": np.array([[color, grade], [color + 1, 50], [color + 2, 50], [60, 50]]),
        "request_numbers": np.float32([[0.0], [0.5], [-1.0], [0.0]]),
        "candidate_ids": np.array([[tags, tags], [tags, tags], [70, tags], [70, 71]]),
    }
    # Of four examples: one without color, two with an age of the mean, two without any tag. Where
    # a default takes the place of missing values, nothing is missing.
    assert field_presence(SPEC, columns) == {"color": 0.75, "age": 0.5, "tags": 0.5}
