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


GAUC = ("metric: auc,", "metric: gauc,")


def test_a_task_may_be_judged_among_the_examples_of_a_user_or_of_a_request(spec_text):
    spec = parse_spec(spec_text.replace(*GAUC))
    click = spec.tasks["click"]
    assert (click.metric, click.higher_is_better, spec.evaluation.gauc_by) == ("gauc", True, "user")
    by_request = spec_text.replace(*GAUC).replace("user: user_id", "request: r")
    assert with_evaluation(by_request, "{gauc_by: request}").evaluation.gauc_by == "request"


def test_a_regression_may_be_judged_by_the_order_of_its_labels(spec_text):
    ratio = parse_spec(spec_text.replace("metric: mse", "metric: xauc")).tasks["ratio"]
    assert (ratio.metric, ratio.higher_is_better) == ("xauc", True)


def test_the_trainer_validates_by_what_it_can_measure(spec_text):
    tasks = parse_spec(spec_text.replace(*GAUC).replace("metric: mse", "metric: xauc")).tasks
    assert [task.validation_metric for task in tasks.values()] == ["auc", "mse"]
    assert [task.validation_metric for task in parse_spec(spec_text).tasks.values()] == [
        "auc",
        "mse",
    ]


@pytest.mark.parametrize(
    ("replaced", "section", "message"),
    [
        ({"user: user_id, ": ""}, "{}", "tasks.click.metric: needs 'keys.user' to tell whose examples are compared (or 'evaluation.gauc_by: request') (received 'gauc')"),
        ({}, "{gauc_by: request}", "tasks.click.metric: needs 'keys.request' to tell whose examples are compared"),
        ({}, "{gauc_by: request}", "evaluation.gauc_by: needs 'keys.request' to tell whose examples are compared"),
        ({"metric: mse": "metric: gauc"}, "{}", "tasks.ratio.metric: metric of a regression task must be one of mse, xauc, received 'gauc'"),
        ({"threshold: 0.6": "threshold: 1.6"}, "{}", "tasks.click.threshold: the metric gauc is from 0 to 1"),
        ({}, "{slices: [{field: item_id, protected: true}]}", "evaluation.slices.0.protected: click: gauc is not measured on slices by a field of the item, which divide the examples of a user; choose a field of the user, or another metric"),
    ],
)  # fmt: skip
def test_gauc_needs_lists_and_slices_that_keep_them_together(spec_text, replaced, section, message):
    text = spec_text.replace(*GAUC)
    for old, new in replaced.items():
        text = text.replace(old, new)
    with pytest.raises(SpecError) as error:
        with_evaluation(text, section)
    assert message in str(error.value)


def test_a_protected_slice_of_the_context_keeps_requests_together(spec_text):
    text = spec_text.replace(*GAUC).replace("{user: user_id,", "{user: user_id, request: r,")
    text = text.replace("  length_s:", "  tab: {side: context, kind: categorical}\n  length_s:")
    protected = "slices: [{field: tab, protected: true}]"
    assert with_evaluation(text, f"{{gauc_by: request, {protected}}}").evaluation.slices
    with pytest.raises(SpecError, match="a field of the context, which divide .* of a user;"):
        with_evaluation(text, f"{{{protected}}}")
