"""Where the histories stand that candidates attend to, and which sequences none can attend to."""

from __future__ import annotations

import pytest

pytest.importorskip("tensorflow")
from feature_spec.loading import SpecError, parse_spec
from trainer.layers.field_embedding import SlotLayout
from trainer.network.attention_layout import AttentionLayout, Search
from trainer.network.network_layout import field_names, field_rows, network_layout

pytestmark = pytest.mark.tensorflow

SPEC = """
name: tiny
logs: {exposures: {path: x, format: jsonl}}
split: {evaluation_files: [x]}
keys: {event_time: {column: t, unit: s}}
histories:
  known_after_s: 60
  sequences:
    clicked: {by: user, fields: [item, tags, hour], feedback: [click], max_length: 3, heads: 2}
    bought: {by: user, fields: [item], max_length: 5, pooling: activation_unit, search_by: item}
    seen: {by: user, fields: [item], max_length: 2, pooling: mean}
fields:
  user: {side: user, kind: categorical, width: 4}
  recent: {side: user, kind: sequence, shares: item, max_length: 2}
  liked: {side: user, kind: sequence, shares: item, max_length: 6, pooling: dot_product}
  hour: {side: context, kind: categorical, width: 3}
  item: {side: item, kind: categorical, width: 4, vocabulary: {oov_buckets: 2}}
  tags: {side: item, kind: multi_categorical, width: 2, max_length: 3, hash_buckets: 9}
  price: {side: item, kind: numeric}
tasks:
  click: {kind: binary, label: {rule: event, column: c}, metric: auc, threshold: 0.5, tolerance: 0.1}
ranking_formula: {weights: {click: 1.0}}
"""
SIZES = {"vocabulary_3": 7, "vocabulary_4": 5}


def layout(text=SPEC):
    return network_layout(parse_spec(text), SIZES)


def test_an_attended_history_takes_the_place_of_its_lists_behind_all_fields():
    # Four heads share width 4; two heads share 4 + 2 + 3 as 5 each; DIN sums item and age as they
    # are, both of width 4. Lists with pooling mean stay fields.
    assert list(zip(field_names(parse_spec(SPEC)), layout().field_widths, strict=True)) == [
        ("hour", 3), ("user", 4), ("recent", 4), ("seen_item", 4), ("seen_age", 4),
        ("tags", 2), ("item", 4), ("price", 1),
        ("liked", 4), ("clicked", 10), ("bought", 8),
    ]  # fmt: skip


def test_the_places_of_aligned_lists_and_of_what_they_are_compared_with():
    # Columns of the request: user, recent (2), liked (6), hour; then clicked: item, tags, hour, age
    # and feedback of 3 each. Rows of width 4: user 0 and 1, item's missing one is 2; hour is alone
    # in width 3, tags in width 2.
    liked, clicked, _ = layout().attentions
    assert liked == AttentionLayout(
        "liked", (SlotLayout(3, 6, 4, 2),), (("candidate", SlotLayout(0, 1, 4, 2)),), (), "dot_product", 4
    )  # fmt: skip
    assert clicked.values == (
        SlotLayout(10, 3, 4, 2), SlotLayout(13, 3, 2, 0), SlotLayout(16, 3, 3, 0),
    )  # fmt: skip
    assert clicked.counterparts == (
        ("candidate", SlotLayout(0, 1, 4, 2)),
        ("candidate", SlotLayout(1, 3, 2, 0)),
        ("request", SlotLayout(9, 1, 3, 0)),
    )
    # Age and feedback own rows of the width of the first list's field.
    assert [(mark.start, mark.width) for mark in clicked.marks] == [(19, 4), (22, 4)]
    assert (clicked.pooling, clicked.heads, clicked.search) == ("dot_product", 2, None)


def test_a_search_matches_no_missing_or_unknown_value_but_hash_buckets():
    assert layout().attentions[2].search == Search(place=0, nameless=3)  # missing, two of OOV
    by_tags = SPEC.replace("fields: [item], max_length: 5", "fields: [item, tags]").replace(
        "search_by: item", "search_by: tags"
    )
    assert layout(by_tags).attentions[2].search == Search(place=1, nameless=1)


def test_every_field_has_its_rows_and_a_pooled_history_any_value():
    rows = field_rows(parse_spec(SPEC), layout(), {})
    assert len(rows) == len(layout().field_widths)
    assert [one.rows is None for one in rows] == [False] * 7 + [True] * 4


def test_what_is_looked_up_holds_each_column_once():
    slots = layout().looked_up["request"]
    columns = [column for slot in slots for column in range(slot.start, slot.start + slot.length)]
    assert sorted(columns) == list(range(len(columns)))


@pytest.mark.parametrize(
    ("part", "instead", "problem"),
    [
        (
            "fields: [item, tags, hour]",
            "fields: [hour]",
            "histories.sequences.clicked.fields: pooling 'dot_product' compares a candidate with "
            "the past, and needs an item field: valid: item, price, tags; or give pooling 'mean'",
        ),
        (
            "shares: item, max_length: 6",
            "shares: hour, max_length: 6",
            "fields.liked.shares: pooling 'dot_product' compares a candidate with the past, and "
            "needs an item field: valid: item, price, tags; or give pooling 'mean'",
        ),
        (
            "liked: {side: user",
            "liked: {side: item",
            "fields.liked.pooling: a candidate attends to sequences of the user or the context",
        ),
        (
            "    bought:",
            "    liked:",
            "histories.sequences.liked: a sequence of the fields has the same name",
        ),
    ],
)
def test_a_sequence_that_no_candidate_can_attend_to_is_refused(part, instead, problem):
    with pytest.raises(SpecError) as refusal:
        parse_spec(SPEC.replace(part, instead))
    assert problem in " ".join(str(refusal.value).split())
