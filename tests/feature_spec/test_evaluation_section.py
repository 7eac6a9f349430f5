"""The section `evaluation`: what it may name."""

from __future__ import annotations

import pytest

from feature_spec.loading import SpecError, parse_spec


def with_evaluation(spec_text, section):
    return parse_spec(f"{spec_text}\nevaluation: {section}\n")


def test_it_may_be_left_out(spec_text):
    assert parse_spec(spec_text).evaluation.ndcg is None
    assert parse_spec(spec_text).evaluation.slices == []


def test_slices_are_by_categorical_fields_or_between_boundaries_of_numeric_ones(spec_text):
    spec = with_evaluation(
        spec_text,
        "{slices: [{field: item_id, protected: true}, {field: age, boundaries: [18, 40.5]}]}",
    )
    assert [(part.field, part.boundaries, part.protected) for part in spec.evaluation.slices] == [
        ("item_id", None, True), ("age", [18, 40.5], False),
    ]  # fmt: skip


def test_a_client_need_not_know_it(spec_text):
    evaluated = with_evaluation(spec_text, "{ndcg: {relevance: {click: 1.0}}}")
    assert evaluated.fingerprint == parse_spec(spec_text).fingerprint


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ("{slices: [{field: itm_id}]}", "evaluation.slices.0.field: no such categorical field (no 'boundaries'): did you mean 'item_id'?"),
        ("{slices: [{field: age}]}", "evaluation.slices.0.field: no such categorical field (no 'boundaries')"),
        ("{slices: [{field: item_id, boundaries: [1]}]}", "evaluation.slices.0.field: no such numeric field (with 'boundaries')"),
        ("{slices: [{field: recent}]}", "evaluation.slices.0.field: no such categorical field"),
        ("{slices: [{field: item_id}, {field: item_id}]}", "evaluation.slices.1.field: has slices already"),
        ("{slices: [{field: age, boundaries: [3, 2]}]}", "'boundaries' must ascend, received [3.0, 2.0]"),
        ("{ndcg: {relevance: {clik: 1.0}}}", "evaluation.ndcg.relevance.clik: no such task: did you mean 'click'?"),
        ("{ndcg: {relevance: {}}}", "evaluation.ndcg.relevance: Dictionary should have at least 1 item"),
        ("{ndcg: {relevance: {click: 0}}}", "evaluation.ndcg.relevance.click: Input should be greater than 0"),
        ("{ndcg: {by: request, relevance: {click: 1}}}", "evaluation.ndcg.by: needs 'keys.request'"),
    ],
)  # fmt: skip
def test_a_mistake_is_named_with_its_place_and_remedy(spec_text, section, message):
    with pytest.raises(SpecError) as error:
        with_evaluation(spec_text, section)
    assert message in str(error.value)
