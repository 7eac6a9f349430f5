"""FeatureLayout, worked by hand."""

from __future__ import annotations

from feature_spec.feature_layout import FeatureLayout
from feature_spec.loading import parse_spec

SPEC = """
name: tiny
logs: {exposures: {path: x, format: jsonl}}
split: {evaluation_files: [x]}
fields:
  user: {side: user, kind: categorical, vocabulary: {oov_buckets: 2}, width: 8}
  recent: {side: user, kind: sequence, shares: item, max_length: 3}
  age: {side: user, kind: numeric}
  item: {side: item, kind: categorical, hash_buckets: 10, width: 8}
  tags: {side: item, kind: multi_categorical, max_length: 2, width: 4}
  price: {side: item, kind: numeric, transform: quantiles, buckets: 5, width: 4}
  hour: {side: context, kind: categorical, width: 8}
tasks:
  click: {kind: binary, label: {rule: event, column: c}, metric: auc, threshold: 0.5, tolerance: 0.1}
ranking_formula: {weights: {click: 1.0}}
"""


def feature_layout() -> FeatureLayout:
    return FeatureLayout(parse_spec(SPEC))


def test_each_field_reserves_a_missing_row_and_its_buckets():
    # Width 8: user 1 + 2, item 1 + 10, hour 1 + 1. Width 4: tags 1 + 1, price 1 + 5.
    assert {name: (rows.missing, rows.buckets) for name, rows in feature_layout().rows.items()} == {
        "user": (0, 2), "item": (3, 10), "hour": (14, 1), "tags": (0, 1), "price": (2, 5),
    }  # fmt: skip
    assert (feature_layout().reserved_rows(8), feature_layout().reserved_rows(4)) == (16, 8)


def test_user_and_context_fields_are_packed_apart_from_item_fields():
    assert [(slot.name, slot.start, slot.length) for slot in feature_layout().slots("request")] == [
        ("user", 0, 1), ("recent", 1, 3), ("hour", 4, 1),
    ]  # fmt: skip
    assert [(slot.name, slot.start, slot.length) for slot in feature_layout().slots("candidate")] == [
        ("item", 0, 1), ("tags", 1, 2), ("price", 3, 1),
    ]  # fmt: skip
    assert feature_layout().numbers("request") == ["age"]
    assert feature_layout().numbers("candidate") == []


def test_a_sequence_has_the_rows_of_the_field_it_shares():
    recent = feature_layout().slots("request")[1]
    assert (recent.source, recent.rows, recent.width, recent.vocabulary) == (
        "item",
        feature_layout().rows["item"],
        8,
        None,
    )


def test_only_widths_with_a_listed_field_have_a_vocabulary():
    assert feature_layout().has_vocabulary(8)
    assert feature_layout().has_vocabulary(4)
    hashed = parse_spec(
        SPEC.replace("kind: multi_categorical", "kind: multi_categorical, hash_buckets: 3")
    )
    assert not FeatureLayout(hashed).has_vocabulary(4)
