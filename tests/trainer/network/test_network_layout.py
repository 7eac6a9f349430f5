"""Where fields stand in the flattened input."""

from __future__ import annotations

import pytest

pytest.importorskip("tensorflow")
from feature_spec.loading import parse_spec
from trainer.network.network_layout import field_names, field_rows, network_layout
from trainer.network.vocabulary import Vocabulary

pytestmark = pytest.mark.tensorflow

SPEC = """
name: tiny
logs: {exposures: {path: x, format: jsonl}}
split: {evaluation_files: [x]}
fields:
  price: {side: item, kind: numeric}
  recent: {side: user, kind: sequence, shares: item, max_length: 2}
  age: {side: user, kind: numeric}
  color: {side: user, kind: categorical, width: 4}
  hour: {side: context, kind: categorical, width: 3}
  item: {side: item, kind: categorical, width: 4}
  tags: {side: item, kind: multi_categorical, width: 2, max_length: 3}
  size_s: {side: item, kind: numeric, transform: quantiles, buckets: 4, width: 2}
tasks:
  click: {kind: binary, label: {rule: event, column: c}, metric: auc, threshold: 0.5, tolerance: 0.1}
ranking_formula: {weights: {click: 1.0}}
"""


def test_fields_are_named_in_the_order_of_their_widths():
    spec = parse_spec(SPEC)
    sizes = {f"vocabulary_{width}": 5 for width in (2, 3, 4)}
    widths = network_layout(spec, sizes).field_widths
    # Each side by ascending width, lists after single values of the same width, plain numbers last.
    assert list(zip(field_names(spec), widths, strict=True)) == [
        ("hour", 3), ("color", 4), ("recent", 4), ("age", 1),
        ("size_s", 2), ("tags", 2), ("item", 4), ("price", 1),
    ]  # fmt: skip


def test_each_field_has_the_rows_of_its_own_entries():
    # A name may be the beginning of another, and a list reads the rows of the field that it shares.
    spec = parse_spec(
        SPEC.replace("  color:", "  item_size:")
        .replace("  item:", "  item_:")
        .replace("shares: item,", "shares: item_,")
    )
    entries = ["item_size\x1fL", "item_\x1fa", "item_size\x1fitem_\x1fa", "item_\x1fb"]
    vocabularies = {"vocabulary_4": Vocabulary.of_entries(map(str.encode, entries))}
    sizes = {f"vocabulary_{width}": 5 for width in (2, 3)} | {"vocabulary_4": 4}
    layout = network_layout(spec, sizes)
    rows = field_rows(spec, layout, vocabularies)
    found = {
        name: None if one.rows is None else one.rows.tolist()
        for name, one in zip(field_names(spec), rows, strict=True)
    }
    # Width 4: 0 and 1 are missing and OOV of item_size, 2 and 3 those of item_; entries from 4 on.
    assert found["item_size"] == [0, 1, 4, 6]
    assert found["item_"] == [2, 3, 5, 7]
    assert found["recent"] == [3, 5, 7]  # the padding of a list does not count
    # Without a vocabulary a field may have each of its rows: missing, OOV and 5 entries.
    assert found["hour"] == [*range(7)]
    assert found["price"] is None
