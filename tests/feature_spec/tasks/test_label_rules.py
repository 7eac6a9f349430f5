"""Label rules as arrays, worked by hand, and the contract that every rule keeps."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import TypeAdapter

from feature_spec.tasks.label_rule import LabelRule, SampleSpace, label_rules

NAN = np.nan
RULES = {
    "event": {"rule": "event", "column": "clicked"},
    "event_of_texts": {"rule": "event", "column": "scenario", "equals": ["search", "feed"]},
    "at_least": {"rule": "at_least", "column": "play_s", "threshold": 5},
    "ratio": {"rule": "ratio", "numerator": "play_s", "denominator": "length_s", "clip": 2.0},
    "column": {"rule": "column", "column": "rating"},
}


class Exposures:
    """Columns as a rule reads them; the bounds that it asks for are noted."""

    def __init__(self, **columns):
        self.columns, self.bounds = columns, {}

    def numbers(self, column, *, minimum=None, maximum=None):
        self.bounds[column] = (minimum, maximum)
        return np.array(self.columns[column], np.float64)

    def events(self, column, equals=None):
        values = self.columns[column]
        return np.array([value in equals if equals else value > 0 for value in values])


def _rule(name, **changes):
    return TypeAdapter(LabelRule).validate_python({**RULES[name], **changes})


def test_every_rule_is_tried_here():
    assert {type(_rule(name)) for name in RULES} == set(label_rules())


@pytest.mark.parametrize("name", RULES)
def test_every_rule_names_the_columns_that_it_reads_by_the_settings_that_name_them(name):
    rule = _rule(name)
    columns = rule.columns
    assert columns == {setting: getattr(rule, setting) for setting in columns}
    exposures = Exposures(**{column: [] for column in columns.values()})
    for kind in rule.task_kinds:
        assert rule.labels(exposures, kind).dtype == np.float64
    assert all(column in rule.text for column in columns.values())


def test_an_event_labels_1_where_it_happened():
    labels = _rule("event").labels(Exposures(clicked=[0, 1, 3]), "binary")
    assert labels.tolist() == [0.0, 1.0, 1.0]


def test_an_event_may_be_one_of_some_texts():
    rule = _rule("event_of_texts")
    assert rule.text == "scenario in search, feed"
    labels = rule.labels(Exposures(scenario=["feed", "mail"]), "binary")
    assert labels.tolist() == [1.0, 0.0]


def test_at_least_labels_1_from_its_threshold_on_and_nothing_without_the_column():
    rule = _rule("at_least")
    assert rule.text == "play_s ≥ 5"
    labels = rule.labels(Exposures(play_s=[4.9, 5.0, NAN]), "binary")
    np.testing.assert_equal(labels, [0.0, 1.0, NAN])


def test_a_ratio_is_clipped_and_has_no_value_without_a_denominator():
    rule = _rule("ratio")
    assert rule.text == "play_s / length_s, at most 2"
    exposures = Exposures(play_s=[3.0, 9.0, 1.0, 1.0, NAN, 1e300], length_s=[6.0, 3.0, 0.0, NAN, 2.0, 1e-300])  # fmt: skip
    # 3 / 6 = 0.5; 9 / 3 = 3, clipped to 2; 1e300 / 1e-300 overflows, clipped to 2
    np.testing.assert_equal(rule.labels(exposures, "regression"), [0.5, 2.0, NAN, NAN, NAN, 2.0])
    assert exposures.bounds == {"play_s": (0.0, None), "length_s": (0.0, None)}


@pytest.mark.parametrize(("kind", "bounds"), [("binary", (0.0, 1.0)), ("regression", (None, None))])
def test_a_column_is_the_label_within_the_bounds_of_its_kind_of_task(kind, bounds):
    exposures = Exposures(rating=[0.25, NAN])
    np.testing.assert_equal(_rule("column").labels(exposures, kind), [0.25, NAN])
    assert exposures.bounds == {"rating": bounds}


def test_a_sample_space_is_an_event_in_words():
    assert SampleSpace(event="clicked").text == "clicked"
    assert SampleSpace(event="scenario", equals=["a", "b"]).text == "scenario in a, b"
