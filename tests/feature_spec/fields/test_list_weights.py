"""Weights of lists: the fields that they become, and which of a row's weights are kept."""

from __future__ import annotations

from typing import Any

import pytest

from feature_spec.fields.list_weights import aligned_weights, without_padding
from feature_spec.loading import parse_spec
from feature_spec.spec import FeatureSpec

MISSING = frozenset({"", "?"})
TAGS = "tags: {side: item, kind: multi_categorical, max_length: 4, table: videos, weights: scores}"
HISTORY = "known_after_s: 60, sequences: {of_user: {by: user, fields: [tags]}}"


def spec_of(*fields: str, further: str = "") -> FeatureSpec:
    lines = "".join(f"  {field}\n" for field in fields)
    return parse_spec(
        "name: small\n"
        "logs:\n"
        "  exposures: {path: log.jsonl, format: jsonl}\n"
        "  tables: {videos: {path: videos.jsonl, format: jsonl, key: item}}\n"
        "keys: {user: user, item: item, event_time: {column: at, unit: s}}\n"
        "split: {evaluation_share: 0.2}\n"
        f"fields:\n  user: {{side: user, kind: categorical}}\n{lines}"
        "tasks: {click: {kind: binary, label: {rule: event, column: click}, metric: auc}}\n"
        f"ranking_formula: {{weights: {{click: 1}}}}\n{further}"
    )


def test_weights_are_a_vector_of_the_lists_side_table_and_length():
    field = spec_of(TAGS).fields["scores"]
    assert (field.kind, field.side, field.table, field.dimension, field.weights_of) == (
        "vector", "item", "videos", 4, "tags",
    )  # fmt: skip


def test_a_spec_with_weights_survives_its_own_text():
    from feature_spec.spec import given_part

    spec = spec_of(TAGS)
    assert "scores" not in given_part(spec)["fields"]
    again = FeatureSpec.model_validate(given_part(spec))
    assert again.fields == spec.fields
    assert again.fingerprint == spec.fingerprint


def test_weights_change_the_fingerprint_and_only_where_they_are():
    plain = TAGS.replace(", weights: scores", "")
    assert spec_of(TAGS).fingerprint != spec_of(plain).fingerprint
    assert (
        not {"weights", "weights_of"}
        & spec_of(plain).fields["tags"].model_dump(exclude_defaults=True).keys()
    )


@pytest.mark.parametrize(
    ("fields", "further", "message"),
    [
        ([TAGS.replace("max_length: 4", "max_length: 1")], "", "'max_length' from 2 to 4096"),
        ([TAGS, "scores: {side: item, kind: numeric}"], "", "another field has this name"),
        ([TAGS, TAGS.replace("tags", "topics")], "", "another field has this name"),
        ([TAGS.replace("scores", "a b")], "", "fields.tags.weights"),
        (
            ["x: {side: item, kind: vector, dimension: 4, weights_of: tags}", TAGS],
            "",
            "'weights_of' is never given",
        ),
        ([TAGS], f"histories: {{{HISTORY}}}\n", "'histories' read this field"),
    ],
)
def test_weights_that_cannot_be_had_are_refused(fields, further, message):
    with pytest.raises(ValueError, match=message):
        spec_of("item: {side: item, kind: categorical}", *fields, further=further)


@pytest.mark.parametrize(
    ("values", "weights", "expected"),
    [
        (["a", "b"], [0.5, 2], [0.5, 2.0, 0.0]),
        # A missing value takes its weight with it.
        (["a", "", "c", None, "e"], [1, 2, 3, 4, 5], [1.0, 3.0, 5.0]),
        # Weights are cut where values are; a value that comes twice keeps both.
        ("a,a,b,c", "4,3,2,1", [4.0, 3.0, 2.0]),
        (None, [], [0.0, 0.0, 0.0]),
    ],
)
def test_weights_follow_their_values(values: Any, weights: Any, expected: list[float]):
    kept = aligned_weights("tags", values, weights, length=3, separator=",", missing=MISSING)
    assert kept == expected


@pytest.mark.parametrize(
    ("values", "weights", "message"),
    [
        (["a", "b"], [1.0], "weights of tags, .*: a list of 2 numbers is needed; received 1"),
        (["a"], [1.0, 2.0], "a list of 1 numbers is needed; received 2"),
        (None, [1.0], "a list of 0 numbers is needed; received 1"),
        (["a"], [-0.5], "at least 0 is needed; received -0.5"),
        (["a"], [float("nan")], "a finite number is needed"),
        (["a"], 3.0, "a list of 1 numbers is needed; received 3.0"),
    ],
)
def test_what_are_no_weights_of_the_values_is_told(values: Any, weights: Any, message: str):
    with pytest.raises(ValueError, match=message):
        aligned_weights("tags", values, weights, length=3, separator=",", missing=MISSING)


def test_padding_is_taken_from_weights_of_examples_alone():
    assert without_padding([1.0, 2.0, 0.0], 2, 3) == [1.0, 2.0]
    assert without_padding([1.0, 2.0, 3.0], 4, 3) == [1.0, 2.0, 3.0, 0.0]
    assert without_padding([1.0, 2.0, 3.0], 2, 3) == [1.0, 2.0, 3.0]  # and is refused then
    assert without_padding("1,2,0", 2, 3) == "1,2,0"
