"""The fingerprint: what a client and a model must agree on, and nothing else."""

from __future__ import annotations

import itertools
import json

import pytest
import yaml

from feature_spec.loading import parse_spec


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("threshold: 0.6", "threshold: 0.7"),
        ("click: 1.0}", "click: 2.0}"),
        ("*.jsonl", "*.json"),
        ("name: tiny", "name: other"),
    ],
)
def test_what_a_client_does_not_see_may_change(spec_text, before, after):
    assert (
        parse_spec(spec_text).fingerprint
        == parse_spec(spec_text.replace(before, after, 1)).fingerprint
    )


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("min_count: 2", "min_count: 3"),
        ("column: clicked", "column: liked"),
        ("  age:", "  years:"),
        ("minimum: 0", "minimum: 1"),
    ],
)
def test_another_field_or_meaning_of_a_task_is_another_fingerprint(spec_text, before, after):
    assert (
        parse_spec(spec_text).fingerprint
        != parse_spec(spec_text.replace(before, after, 1)).fingerprint
    )


@pytest.mark.parametrize("section", ["fields", "tasks"])
def test_the_order_of_fields_and_tasks_makes_no_other_fingerprint(spec_text, section):
    document = yaml.safe_load(spec_text)
    for order in itertools.permutations(document[section]):
        reordered = document | {section: {name: document[section][name] for name in order}}
        spec = parse_spec(json.dumps(reordered))
        assert spec.fingerprint == parse_spec(spec_text).fingerprint
        assert list(getattr(spec, section)) == list(order)


def test_the_order_of_keys_makes_no_other_fingerprint(spec_text):
    text = json.dumps(yaml.safe_load(spec_text), sort_keys=True)
    assert parse_spec(text).fingerprint == parse_spec(spec_text).fingerprint
    assert parse_spec(text).part_digests == parse_spec(spec_text).part_digests


def test_the_order_of_tasks_is_that_of_the_file(spec_text):
    assert list(parse_spec(spec_text).tasks) == ["click", "ratio"]


def test_a_spec_cannot_be_changed(spec_text):
    with pytest.raises(ValueError, match="frozen"):
        parse_spec(spec_text).name = "other"
