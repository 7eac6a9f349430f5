"""Names of fields and tasks: refused where TensorFlow, Python or the export would refuse them."""

from __future__ import annotations

import json
import keyword

import pytest

from feature_spec.loading import SpecError, parse_spec
from feature_spec.names import RESERVED_NAMES, RESERVED_PREFIXES, is_usable, name_problem

CLICK_AGAIN = (
    "  Click: {kind: binary, label: {rule: event, column: c}, metric: auc, threshold: 0.5, "
    "tolerance: 0.1}"
)
REFUSED = {
    "101": 'f101: {column: "101"}',
    "1st": 'f1st: {column: "1st"}',
    "größe": 'groe: {column: "größe"}',
    "标题": 'my_field: {column: "标题"}',
    "_hidden": 'hidden: {column: "_hidden"}',
    "__init__": 'init: {column: "__init__"}',
    "my-field": 'my_field: {column: "my-field"}',
    "a b": 'a_b: {column: "a b"}',
    "a.b": 'a_b: {column: "a.b"}',
    "a/b": 'a_b: {column: "a/b"}',
    "\uff57ide": 'wide: {column: "\uff57ide"}',
    "e\u0301t\u00e9": 'ete: {column: "e\u0301t\u00e9"}',
    "a\nb": 'a_b: {column: "a\\nb"}',
    "class": 'f_class: {column: "class"}',
    "None": 'f_None: {column: "None"}',
    "ranking_score": 'f_ranking_score: {column: "ranking_score"}',
    "log_ranking_score": 'f_log_ranking_score: {column: "log_ranking_score"}',
    "spec_fingerprint": 'f_spec_fingerprint: {column: "spec_fingerprint"}',
    "self": 'f_self: {column: "self"}',
    "weight_of_x": 'f_weight_of_x: {column: "weight_of_x"}',
    "Weight_of_x": 'f_Weight_of_x: {column: "Weight_of_x"}',
    "Top_K": 'f_Top_K: {column: "Top_K"}',
}


def replaced(spec_text, part, name):
    old = {"fields": "age", "tasks": "click"}[part]
    text = spec_text.replace(f"  {old}:", f"  {json.dumps(name)}:").replace("click: 1.0", "")
    assert text != spec_text
    return text


@pytest.mark.parametrize("part", ["fields", "tasks"])
@pytest.mark.parametrize(
    "name",
    [*REFUSED, "", *keyword.kwlist, *sorted(RESERVED_NAMES | {p + "x" for p in RESERVED_PREFIXES})],
)
def test_a_name_that_a_later_step_refuses_is_refused_with_its_place(spec_text, part, name):
    with pytest.raises(SpecError) as error:
        parse_spec(replaced(spec_text, part, name))
    assert f"{part}.{name}: not a usable name: " in str(error.value)


@pytest.mark.parametrize(("name", "remedy"), REFUSED.items())
def test_the_refusal_has_a_remedy_that_works(spec_text, name, remedy):
    assert f"such as {remedy}" in str(name_problem("fields", name))
    new, _, column = remedy.removesuffix("}").partition(": {")
    parse_spec(
        spec_text.replace("  age: {side", f"  {new}: {{{column}, side").replace("\n\n", "\n")
    )


def test_the_remedy_keeps_a_column_that_is_given(spec_text):
    with pytest.raises(SpecError) as error:
        parse_spec(spec_text.replace("  age: {", "  größe: {column: size, "))
    assert str(error.value).endswith("such as groe (received 'größe')")


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("101", 'fields.101: not a usable name: .*such as f101: {column: "101"}'),
        ("on", "YAML reads it as True; put it into quotes"),
        ("~", "YAML reads it as None; put it into quotes"),
        ("2022-01-01", r"YAML reads it as datetime.date\(2022, 1, 1\); put it into quotes"),
        ("1.5", "YAML reads it as 1.5; put it into quotes"),
    ],
)
def test_a_name_that_yaml_takes_for_something_else_is_refused(spec_text, written, said):
    with pytest.raises(SpecError, match=said):
        parse_spec(spec_text.replace("  age:", f"  {written}:"))


@pytest.mark.parametrize("name", ["l0", "l2", "orthogonality", "entropy", "unused_codes"])
def test_a_task_cannot_have_the_name_of_another_term_of_the_loss(spec_text, name):
    with pytest.raises(SpecError, match=f"tasks.{name}: not a usable name: .*such as t_{name}"):
        parse_spec(replaced(spec_text, "tasks", name))
    parse_spec(spec_text.replace("  age:", f"  {name}:"))


@pytest.mark.parametrize("part", ["fields", "tasks"])
def test_names_that_differ_in_case_only_are_refused(spec_text, part):
    first, second = {
        "fields": ("  age: {", "  Age: {side: user, kind: numeric}\n  age: {"),
        "tasks": ("  ratio:", CLICK_AGAIN + "\n  ratio:"),
    }[part]
    with pytest.raises(SpecError, match="in case only"):
        parse_spec(spec_text.replace(first, second))


@pytest.mark.parametrize("name", ["age", "Age", "a1", "match", "type", "classes", "A", "x__y_"])
def test_any_other_name_is_usable(name):
    assert is_usable(name)
    assert name_problem("tasks", name) is None
