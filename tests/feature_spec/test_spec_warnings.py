"""Warnings: what a valid spec hardly means."""

from __future__ import annotations

import pytest
import yaml

from feature_spec.loading import load_spec, parse_spec, ready_specs
from feature_spec.spec_warnings import spec_warnings

LABELS = {
    "event": "{rule: event, column: c}",
    "event with values": "{rule: event, column: c, equals: [like]}",
    "at_least": "{rule: at_least, column: c, threshold: 3}",
    "column": "{rule: column, column: c}",
}
FORMULA = "weights: {click: 1.0}, duration: {field: length_s}"


def of_the_log(spec_text, field):
    """The spec with another field in the place of `age`, read from the log of exposures."""
    return spec_text.replace("  age: {", f"  {field}").replace(", table: users", "")


@pytest.mark.parametrize("label", LABELS.values(), ids=LABELS)
@pytest.mark.parametrize(("field", "name"), [("age: {column: c, ", "age"), ("c: {", "c")])
def test_a_field_that_reads_the_column_of_a_label_is_told(spec_text, label, field, name):
    text = of_the_log(spec_text.replace("{rule: event, column: clicked}", label), field)
    [told] = spec_warnings(parse_spec(text))
    assert told.startswith(f"fields.{name}: reads the column 'c', which is the label of click")


def test_the_numerator_of_a_ratio_leaks_and_its_denominator_does_not(spec_text):
    assert spec_warnings(parse_spec(spec_text)) == []  # length_s is a denominator
    [told] = spec_warnings(parse_spec(of_the_log(spec_text, "age: {column: play_s, ")))
    assert told.startswith("fields.age: reads the column 'play_s', which is the label of ratio")


def test_a_column_of_a_side_table_is_no_label(spec_text):
    text = spec_text.replace("  age: {", "  age: {column: clicked, ")
    assert spec_warnings(parse_spec(text)) == []


def test_a_column_that_actions_fill_after_the_impression_is_told():
    text = ready_specs()["short_video_events"].read_text(encoding="utf-8")
    for column in parse_spec(text).logs.actions.folds:
        late = f"late: {{side: item, kind: numeric, column: {column}}}"
        spec = parse_spec(text.replace("\nfields:\n", f"\nfields:\n  {late}\n"))
        [told] = spec_warnings(spec)
        assert told.startswith(f"fields.late: reads the column {column!r}, which is ")


@pytest.mark.parametrize("name", ready_specs())
def test_ready_specs_have_no_warnings(name):
    assert spec_warnings(load_spec(name)) == []


@pytest.mark.parametrize("formula", ["weights: {}", "weights: {click: 0.0}"])
def test_a_formula_without_effect_is_told(spec_text, formula):
    [told] = spec_warnings(parse_spec(spec_text.replace(FORMULA, formula)))
    assert "all candidates rank alike" in told


def test_tasks_without_loss_are_told(spec_text):
    text = spec_text.replace("metric: auc", "loss_weight: 0.0, metric: auc")
    assert spec_warnings(parse_spec(text)) == []
    text = text.replace("metric: mse", "loss_weight: 0.0\n    metric: mse")
    [told] = spec_warnings(parse_spec(text))
    assert "no task is learnt" in told


def with_histories(spec_text, **settings):
    counts = {"user": {"by": ["user_id"]}}
    made = {"known_after_s": 600, "counts": counts} | settings
    return parse_spec(yaml.safe_dump(yaml.safe_load(spec_text) | {"histories": made}))


def test_usual_histories_have_no_warning(spec_text):
    viewed = {"by": "user_id", "fields": ["item_id"], "max_length": 500}
    assert spec_warnings(with_histories(spec_text, sequences={"viewed": viewed})) == []


def test_feedback_that_counts_at_once_is_told(spec_text):
    [told] = spec_warnings(with_histories(spec_text, known_after_s=0))
    assert told.startswith("histories.known_after_s: 0 counts feedback from the moment")


def test_lists_that_make_examples_large_are_told(spec_text):
    # The items and their ages: 2 × 501 values.
    viewed = {"by": "user_id", "fields": ["item_id"], "max_length": 501}
    [told] = spec_warnings(with_histories(spec_text, sequences={"viewed": viewed}))
    assert told.startswith("histories.sequences.viewed: up to 501 × 2 lists = 1,002 values")


def test_a_history_of_the_name_of_a_labels_column_is_no_leak(spec_text):
    text = spec_text.replace("column: clicked", "column: user_click")
    assert spec_warnings(with_histories(text)) == []


def test_a_warm_up_as_long_as_the_days_that_train_is_told():
    document = yaml.safe_load(ready_specs()["short_video"].read_text(encoding="utf-8"))
    histories = {"known_after_s": 60, "counts": {"user": {"by": ["user_id"]}}, "warm_up_days": 3}
    spec = document | {"histories": histories, "spans": {"window_days": 3}}
    [told] = spec_warnings(parse_spec(yaml.safe_dump(spec)))
    assert told.startswith("histories.warm_up_days: 3 days are no shorter than spans.window_days")


@pytest.mark.parametrize(
    ("settings", "place"),
    [
        ("trainer: {famo_decay: 0.1}", "trainer.famo_decay: only balancing 'famo' reads it"),
        (
            "trainer: {balancing: stch, gradnorm_alpha: 1.0}",
            "trainer.gradnorm_alpha: only balancing 'gradnorm' reads it, and trainer.balancing is 'stch'",
        ),
        ("model: {name: ple, cross_rank: 8}", "model.cross_rank: nothing reads it"),
        ("model: {name: mssm, masks: paper, field_sparsity: false}", "model.masks: nothing reads"),
    ],
)
def test_a_setting_that_nothing_reads_is_told(spec_text, settings, place):
    [told] = spec_warnings(parse_spec(f"{spec_text}\n{settings}\n"))
    assert told.startswith(place)


@pytest.mark.parametrize(
    "settings",
    [
        "trainer: {balancing: famo, famo_decay: 0.1}",
        "model: {name: ple, cross_layers: 2, cross_rank: 8}",
        "trainer: {famo_decay: 0.1}\ntuner: {search: {trainer.balancing: {values: [none, famo]}}}",
    ],
)
def test_a_setting_that_something_reads_is_not_told(spec_text, settings):
    assert spec_warnings(parse_spec(f"{spec_text}\n{settings}\n")) == []
