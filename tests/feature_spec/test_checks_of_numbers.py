"""Numbers of a spec: finite, within what they stand for, and within what computes with them."""

from __future__ import annotations

import copy

import pytest
import yaml

from feature_spec.fields.field import NumericField
from feature_spec.loading import SpecError, parse_spec
from feature_spec.sections import Slice
from feature_spec.spec import FeatureSpec

NUMBERS = """
name: numbers
keys: {request: r, user: u, item: i, event_time: {column: t, unit: s}}
logs:
  impressions: {path: x, format: jsonl}
  actions:
    {path: x, format: jsonl, kind: k, event_time: {column: t, unit: s}, window_s: 9.0,
     folds: {clicked: {action: click, fold: any}}}
  max_rejected_share: 0.5
  max_rejected_share_of: {duplicate: 0.5}
split: {evaluation_days: 1, validation_share: 0.5}
sampling: {negative_rates: {click: 0.5}}
fields:
  item: {side: item, kind: categorical, min_presence: 0.5}
  price: {side: item, kind: numeric, minimum: 0.5, maximum: 0.5, default: 0.5}
tasks:
  click:
    {kind: binary, label: {rule: at_least, column: v, threshold: 0.5}, metric: auc,
     threshold: 0.5, tolerance: 0.5, loss_weight: 0.5, loss_weight_update_ratio: 0.5}
  ratio:
    {kind: regression, label: {rule: ratio, numerator: a, denominator: b, clip: 0.5}, metric: mse,
     threshold: 0.5, tolerance: 0.5}
ranking_formula: {weights: {click: 0.5}, duration: {field: price, scale: 0.5, weight: 0.5}}
evaluation:
  ndcg: {relevance: {click: 0.5}}
  slices: [{field: price, boundaries: [0.5]}]
drift: {thresholds: {price: {jensen_shannon: 0.5}}}
skew: {thresholds: {item: {l_infinity: 0.5}}}
tuner:
  objective: weighted_sum
  weights: {click: 0.5}
  search: {trainer.learning_rate: {minimum: 0.5, maximum: 0.75}}
serving: {latency_budget_ms: 0.5, score_tolerance: 0.5}
"""


def places_of_numbers(content, place=()):
    if isinstance(content, dict):
        inner = content.items()
    elif isinstance(content, list):
        inner = enumerate(content)
    else:
        return [place] if isinstance(content, float) else []
    return [found for key, value in inner for found in places_of_numbers(value, (*place, key))]


DOCUMENT = yaml.safe_load(NUMBERS)
PLACES = places_of_numbers(DOCUMENT)


def with_number(place, number):
    document = copy.deepcopy(DOCUMENT)
    inner = document
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = number
    return yaml.safe_dump(document)


def test_the_spec_of_these_tests_is_valid_and_has_every_number():
    parse_spec(yaml.safe_dump(DOCUMENT))
    assert len(PLACES) > 20


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("place", PLACES, ids=lambda place: ".".join(map(str, place)))
def test_no_number_of_a_spec_may_be_nan_or_infinite(place, number):
    with pytest.raises(SpecError) as error:
        parse_spec(with_number(place, number))
    assert f"  {'.'.join(map(str, place))}: " in str(error.value)


@pytest.mark.parametrize(
    ("place", "number"),
    [
        ("fields.price.default", 1e39),
        ("ranking_formula.weights.click", -1e39),
        ("ranking_formula.duration.weight", 1e300),
        ("ranking_formula.duration.scale", 1e39),
        ("ranking_formula.duration.scale", 1e-46),
        ("tasks.click.loss_weight", 1e39),
        ("tasks.click.loss_weight_update_ratio", 1e39),
        ("tasks.ratio.label.clip", 1e39),
        ("tasks.ratio.label.clip", 5e-324),
        ("tasks.click.threshold", 60),
        ("tasks.click.threshold", -0.1),
        ("tasks.click.tolerance", 1.5),
        ("tasks.ratio.threshold", -1.0),
        ("logs.actions.window_s", 1e18),
        ("split.evaluation_days", 10**9),
        ("split.evaluation_days", 10**400),
        ("tuner.seed", 2**40),
    ],
)
def test_a_number_that_a_later_step_cannot_use_is_refused_with_its_place(place, number):
    with pytest.raises(SpecError) as error:
        parse_spec(with_number(tuple(place.split(".")), number))
    assert f"  {place}: " in str(error.value)


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"minimum": 0.0, "default": -1.0}, "'default' -1.0 is below 'minimum' 0.0"),
        ({"maximum": 0.0, "default": 1e-300}, "'default' 1e-300 is above 'maximum' 0.0"),
        (
            {"transform": "log1p_z_score", "minimum": 0.0, "default": -1e-05},
            "'default' -1e-05 is below 'minimum' 0.0",
        ),
        ({"transform": "quantiles", "minimum": 1, "default": 0}, "'default' 0.0 is below"),
        ({"minimum": 1.0, "maximum": 0.0}, "'minimum' 1.0 is above 'maximum' 0.0"),
    ],
)
def test_bounds_hold_for_the_default(settings, problem):
    with pytest.raises(ValueError, match=problem):
        NumericField(side="item", kind="numeric", **settings)


@pytest.mark.parametrize("default", [0.0, -0.0, 1.0, 0.5])
def test_a_default_may_be_a_bound(default):
    NumericField(side="item", kind="numeric", minimum=0.0, maximum=1.0, default=default)


@pytest.mark.parametrize(
    ("before", "after", "place"),
    [
        ("column: clicked", "column: clicked, equals: []", "tasks.click.label.equals"),
        ("metric: auc", "sample_space: {event: a, equals: []}, metric: auc", "tasks.click.sample_space.equals"),
        ("column: clicked", "column: ''", "tasks.click.label.column"),
        ("evaluation_days: 1", "evaluation_files: []", "split.evaluation_files"),
        ("shares: item_id", "shares: item_id, separator: ''", "fields.recent.separator"),
        ("format: csv", "format: csv, columns: [a, b, a]", "logs.tables.users.columns"),
        ("format: csv", "format: csv, columns: []", "logs.tables.users.columns"),
        ("format: csv", "format: csv, delimiter: '\"'", "logs.tables.users.delimiter"),
        ("format: csv", 'format: csv, delimiter: "\\n"', "logs.tables.users.delimiter"),
        ("user: user_id", "user: ''", "keys.user"),
    ],
)  # fmt: skip
def test_a_list_or_a_text_that_says_nothing_is_refused(spec_text, before, after, place):
    assert before in spec_text
    with pytest.raises(SpecError) as error:
        parse_spec(spec_text.replace(before, after, 1))
    assert f"  {place}: " in str(error.value)


def test_slices_have_names_of_their_own():
    part = Slice(field="a", boundaries=[0.5, 1000000.1, 1000000.2])
    assert part.numeric_names == [
        "below 0.5", "0.5 to 1000000.1", "1000000.1 to 1000000.2", "1000000.2 and above",
    ]  # fmt: skip


def test_every_mistake_is_told_at_once_with_those_of_other_parts(spec_text):
    changes = {
        "  age: {side: user": "  101: {side: user",
        "table: users": "table: nobody",
        "shares: item_id": "shares: nothing",
        "field: length_s": "field: lngth_s",
        "evaluation_days: 1": "evaluation_days: 0",
        "threshold: 0.6": "threshold: 60",
        "weights: {click": "weights: {clik",
        "clip: 1.0": "clip: .inf",
        "name: tiny": "name: Tiny\ndrift: {thresholds: {nope: {l_infinity: 0.1}}}",
    }
    for before, after in changes.items():
        assert before in spec_text
        spec_text = spec_text.replace(before, after, 1)
    with pytest.raises(SpecError) as error:
        parse_spec(spec_text)
    lines = str(error.value).splitlines()[1:]
    assert sorted(line.split(":")[0].strip() for line in lines) == sorted([
        "name",
        "split.evaluation_days",
        "fields.101",
        "fields.recent.shares",
        "tasks.click.threshold",
        "tasks.ratio.label.clip",
        "ranking_formula.weights.clik",
        "ranking_formula.duration.field",
        "drift.thresholds.nope",
    ])  # fmt: skip


@pytest.mark.parametrize(
    ("before", "after", "place"),
    [
        ("item_id: {side: item, kind: categorical}", "item_id: {side: item, kind: categorial}", "fields.item_id"),
        ("length_s: {side: item, kind: numeric, minimum: 0}", "length_s: {side: item, kind: numric}", "fields.length_s"),
        ("  click: {kind: binary", "  click: {kind: binry", "tasks.click.kind"),
        ("  click: {", "  class: {", "tasks.class"),
        ("key: user_id", "key: 3", "logs.tables.users.key"),
        ("unit: ms", "unit: h", "keys.event_time.unit"),
    ],
)  # fmt: skip
def test_a_wrong_part_makes_no_mistakes_of_the_parts_that_name_it(spec_text, before, after, place):
    assert before in spec_text
    with pytest.raises(SpecError) as error:
        parse_spec(spec_text.replace(before, after, 1).replace("{click: 1.0}", "{class: 1.0}" if "class" in after else "{click: 1.0}"))  # fmt: skip
    lines = str(error.value).splitlines()[1:]
    assert [line.split(":")[0].strip() for line in lines] == [place]


def test_unknown_keys_hide_no_other_mistake():
    with pytest.raises(ValueError, match="unknown key 'nam'") as error:
        FeatureSpec.model_validate({"nam": "x", "serving": {"latency": 1.0, "score_tolerance": -1}})
    places = {detail["loc"] for detail in error.value.errors()}
    assert {(), ("serving",), ("serving", "score_tolerance"), ("logs",)} <= places
    assert ("name",) not in places
