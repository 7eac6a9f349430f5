"""Loading: every mistake is named with its file, path, what was received and what is valid."""

from __future__ import annotations

import pytest

from feature_spec.loading import SpecError, load_spec, parse_spec, ready_specs


@pytest.mark.parametrize(
    "name", ["kuairand", "kuairand_static", "census_income", "short_video", "short_video_events"]
)
def test_ready_specs_load_by_name(name):
    assert name in ready_specs()
    assert load_spec(name).name == name


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("min_count", "min_cout", "fields.user_id.vocabulary: unknown key 'min_cout': did you mean 'min_count'?"),
        ("kind: sequence", "kind: sequense", "fields.recent: kind 'sequense' does not exist: did you mean 'sequence'?"),
        ("kind: sequence, ", "", "fields.recent: needs a key kind"),
        ("weights: {click", "weights: {clik", "ranking_formula.weights.clik: no such task: did you mean 'click'?"),
        ("shares: item_id", "shares: item", "fields.recent.shares: no such categorical field: did you mean 'item_id'? (received 'item')"),
        ("table: users", "table: user", "fields.age.table: no such side table: did you mean 'users'? (received 'user')"),
        ("min_count: 2", "min_count: 0", "fields.user_id.vocabulary.min_count: Input should be greater than 0 (received 0)"),
        ("min_count: 2", "min_count: '2'", "fields.user_id.vocabulary.min_count: Input should be a valid integer (received '2')"),
        ("    metric: mse\n", "", "tasks.ratio.metric: Field required"),
        ("metric: auc, ", "", "tasks.click.metric: Field required"),
        ("metric: auc", "metric: mse", "metric of a binary task must be one of auc, gauc, log_loss, received 'mse'"),
        ("rule: event", "rule: evnt", "tasks.click.label: rule 'evnt' does not exist: did you mean 'event'?"),
        ("event_time: {column: t, unit: ms}", "item: item_id", "split.evaluation_days: needs 'keys.event_time'"),
        ("unit: ms", "unit: ms, timezone: Mars/Base", "keys.event_time.timezone: no such time zone: 'Mars/Base'"),
        ("duration: {field: length_s}", "duration: {field: age}", "duration.field: no such numeric item field: valid: length_s"),
        ("name: tiny", "name: tiny\nname: again", "key 'name' is given twice"),
        ("  click: {", "  label_of_x: {", "tasks.label_of_x: not a usable name"),
        ("  click: {", "  age: {", "tasks.age: a field has the same name"),
        ("vocabulary: {min_count: 2}", "vocabulary: {min_count: 2}, hash_buckets: 9", "has both 'vocabulary' and 'hash_buckets'"),
        ("numeric, table", "numeric, buckets: 3, table", "'buckets' only works with transform 'quantiles', received 'z_score'"),
        ("numeric, minimum: 0", "numeric, transform: log1p_z_score", "transform 'log1p_z_score' needs a 'minimum' of at least 0, received None"),
        ("threshold: 0.6", "threshold: .nan", "tasks.click.threshold: Input should be a finite number (received nan)"),
        ("tolerance: 0.01}", "tolerance: .inf}", "tasks.click.tolerance: Input should be a finite number (received inf)"),
        ("split: {evaluation_days: 1}", "split: {}", "split: needs either 'evaluation_days' or 'evaluation_files'"),
        ("format: jsonl", "format: jsonl, delimiter: ';'", "'delimiter' only has an effect with format 'csv', received 'jsonl'"),
    ],
)  # fmt: skip
def test_a_mistake_is_named_with_its_place_and_remedy(spec_text, before, after, message):
    assert before in spec_text
    with pytest.raises(SpecError) as error:
        parse_spec(spec_text.replace(before, after, 1), source="my.yaml")
    assert message in str(error.value)
    assert str(error.value).startswith("my.yaml: ")


def test_all_mistakes_are_told_at_once(spec_text):
    with pytest.raises(SpecError, match=r"2 errors") as error:
        parse_spec(
            spec_text.replace("side: user", "sid: user", 1).replace("clip: 1.0", "clip: -1.0"),
            source="my.yaml",
        )
    assert "fields.user_id: unknown key 'sid'" in str(error.value)
    assert "tasks.ratio.label.clip" in str(error.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [("", "received None"), ("[1, 2]", "received [1, 2]"), ("a: [", "not valid YAML")],
)
def test_what_is_no_spec_at_all_is_refused(text, message):
    with pytest.raises(SpecError) as error:
        parse_spec(text)
    assert message in str(error.value)


def test_a_missing_file_is_named_with_the_ready_specs():
    with pytest.raises(
        SpecError,
        match=r"nowhere.yaml: cannot be read.*Ready specs: census_income, kuairand, kuairand_static, short_video, short_video_events",
    ):
        load_spec("nowhere.yaml")


def test_a_spec_without_an_item_field_cannot_tell_candidates_apart(spec_text):
    with pytest.raises(SpecError, match="at least one field with side 'item'"):
        parse_spec(
            spec_text.replace("side: item", "side: user").replace("duration: {field: length_s}", "")
        )


@pytest.mark.parametrize("text", ["name: tiny\na: [", "name: tiny\nname: again", "a: \x00"])
def test_text_that_is_not_yaml_is_named_by_its_file(text):
    with pytest.raises(SpecError) as error:
        parse_spec(text, source="my.yaml")
    assert 'in "my.yaml", ' in str(error.value)
    assert "string>" not in str(error.value)


def test_all_mistakes_of_one_field_are_told_at_once() -> None:
    text = """
name: wrong
logs: {exposures: {path: x, format: csv}}
split: {evaluation_days: 1}
keys: {event_time: {column: t, unit: s}}
fields:
  age: {side: usr, kind: numeric, minimum: 10, maximum: 1, colum: a}
  price: {side: item, kind: numeric, transform: zscore, maximum: 1, default: 7}
  id: {side: itm, kind: categorical, table: nope, vocabulary: {min_count: 0}, hash_buckets: 3}
tasks:
  click: {kind: binary, label: {rule: event, column: c}, metric: mse, tolerance: -1}
ranking_formula: {weights: {click: 1.0}}
"""
    with pytest.raises(SpecError) as raised:
        parse_spec(text)
    places = [problem.partition(":")[0] for problem in raised.value.problems]
    assert sorted(places) == [
        "fields.age",  # the unknown key
        "fields.age.minimum",
        "fields.age.side",
        "fields.id.side",
        "fields.id.table",
        "fields.id.vocabulary.min_count",
        "fields.price.default",
        "fields.price.transform",
        "tasks.click.metric",
        "tasks.click.tolerance",
    ]
