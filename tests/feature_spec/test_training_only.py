"""Fields that only training has: what the spec makes of them, and what it refuses."""

from __future__ import annotations

import pytest

from feature_spec.feature_layout import FeatureLayout
from feature_spec.loading import SpecError, parse_spec

SPEC = """
name: tiny
logs:
  exposures: {path: x, format: jsonl}
  tables: {items: {path: y, format: jsonl, key: item}}
split: {evaluation_files: [x]}
keys: {event_time: {column: t, unit: s}}
fields:
  color: {side: user, kind: categorical, width: 4}
  item: {side: item, kind: categorical, width: 4}
  price: {side: item, kind: numeric}
EXTRA
tasks:
  click: {kind: binary, label: {rule: event, column: c}, metric: auc}
ranking_formula: {weights: {click: 1.0}}
"""
PLACE = "  place: {side: item, kind: categorical, width: 4, training_only: {dropout_rate: 0.2}}\n"
DEVICE = "  device: {side: context, kind: categorical, width: 2, training_only: {}}\n"


def parsed(*extra, **sections):
    text = SPEC.replace("EXTRA\n", "".join(extra))
    return parse_spec(text + "".join(f"{name}: {value}\n" for name, value in sections.items()))


def test_requests_know_the_spec_without_them():
    spec = parsed(PLACE, DEVICE)
    assert list(spec.training_only) == ["place", "device"]
    assert list(spec.served.fields) == ["color", "item", "price"]
    assert list(spec.fields_of("item")) == ["item", "price", "place"]
    assert spec.fields["device"].training_only.dropout_rate == 0.1


def test_the_fingerprint_is_that_of_what_requests_carry():
    without = parsed()
    assert parsed(PLACE).fingerprint == without.fingerprint
    assert parsed(PLACE).earlier_fingerprint == without.earlier_fingerprint
    assert without.served is without


def test_their_ids_have_a_matrix_of_their_own_and_rows_in_the_shared_tables():
    layout = FeatureLayout(parsed(PLACE, DEVICE))
    assert [(slot.name, slot.start, slot.width) for slot in layout.slots("training")] == [
        ("place", 0, 4),
        ("device", 1, 2),
    ]
    assert [slot.name for slot in layout.slots("candidate")] == ["item"]
    # color, item and place reserve two rows each: one for a missing value, one for unknown ones.
    assert layout.rows["place"].missing == 4
    assert layout.has_vocabulary(2)


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("{side: item, kind: numeric, training_only: {}}", "received kind 'numeric'"),
        (
            "{side: item, kind: multi_categorical, training_only: {}}",
            "needs kind 'categorical', or 'numeric' with transform 'quantiles'",
        ),
        (
            "{side: item, kind: categorical, default: a, training_only: {}}",
            "goes without 'default'",
        ),
        (
            "{side: item, kind: categorical, table: items, training_only: {}}",
            "needs a column of the log",
        ),
        (
            "{side: context, kind: categorical, from: event_time, part: hour, training_only: {}}",
            "needs a column of the log",
        ),
        (
            "{side: item, kind: categorical, training_only: {dropout_rate: 0.0}}",
            "greater than 0",
        ),
        ("{side: item, kind: categorical, training_only: {dropout_rate: 1.0}}", "less than 1"),
    ],
)
def test_a_field_that_cannot_be_unknown_when_served_is_refused(field, text):
    with pytest.raises(SpecError, match=text):
        parsed(f"  other: {field}\n")


def test_a_field_that_others_read_is_refused():
    with pytest.raises(SpecError, match="recent reads this field, which no request carries"):
        parsed(PLACE, "  recent: {side: user, kind: sequence, shares: place}\n")


def test_a_key_of_histories_is_refused():
    history = "{known_after_s: 0, counts: {shown: {by: [place], tasks: [click]}}}"
    with pytest.raises(SpecError, match="'histories' read this field, which no request carries"):
        parsed(PLACE, histories=history)


def test_requests_cannot_be_skewed_in_them():
    limits = "{thresholds: {place: {l_infinity: 0.1}}}"
    with pytest.raises(SpecError, match="requests do not carry a field of training only"):
        parsed(PLACE, skew=limits)
    assert parsed(PLACE, drift=limits).drift.thresholds


def test_candidates_need_a_field_that_requests_carry():
    text = SPEC.replace("EXTRA\n", PLACE).replace("  item: {side: item", "  item: {side: user")
    text = text.replace("  price: {side: item", "  price: {side: user")
    with pytest.raises(SpecError, match="needs at least one field with side 'item'"):
        parse_spec(text)
