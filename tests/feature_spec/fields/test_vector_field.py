"""Vectors in the spec: what is refused, and what the layout and the fingerprint make of them."""

from __future__ import annotations

import io

import numpy as np
import pytest
from rich.console import Console

from feature_spec.feature_layout import FeatureLayout
from feature_spec.fields.values import finite_vector
from feature_spec.loading import SpecError, parse_spec
from feature_spec.spec_tables import print_spec

SPEC = """
name: tiny
logs: {exposures: {path: x, format: jsonl}}
split: {evaluation_files: [x]}
fields:
  user_id: {side: user, kind: categorical}
  look: {side: item, kind: vector, dimension: 3, SETTINGS}
  sound: {side: item, kind: vector, dimension: 2, project: 4}
tasks:
  click: {kind: binary, label: {rule: event, column: c}, metric: auc}
ranking_formula: {weights: {click: 1.0}}
"""


def parsed(settings="normalise: true", **sections):
    text = SPEC.replace("SETTINGS", settings)
    return parse_spec(text + "".join(f"{name}: {value}\n" for name, value in sections.items()))


def test_vectors_have_a_matrix_of_their_own_in_the_order_of_the_spec():
    layout = FeatureLayout(parsed())
    assert {name: one.dimension for name, one in layout.vectors("candidate").items()} == {
        "look": 3,
        "sound": 2,
    }
    assert layout.vectors("request") == {}
    assert layout.slots("candidate") == []


def test_vectors_of_another_encoder_or_size_are_another_fingerprint():
    prints = {
        parsed(settings).fingerprint
        for settings in ("encoder: clip-1", "encoder: clip-2", "project: 8", "normalise: true")
    }
    assert len(prints) == 4


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ("dimension: 1", "greater than or equal to 2"),
        ("dimension: 5000", "less than or equal to 4096"),
        ("project: 0", "greater than"),
        ("width: 8", "unknown key 'width'"),
        ("training_only: {}", "needs kind 'categorical'"),
    ],
)
def test_what_is_no_vector_is_refused(settings, text):
    with pytest.raises(SpecError, match=text):
        text_of = SPEC.replace("dimension: 3, SETTINGS", settings)
        if "dimension" not in settings:
            text_of = SPEC.replace("SETTINGS", settings)
        parse_spec(text_of)


@pytest.mark.parametrize("section", ["drift", "skew"])
@pytest.mark.parametrize("measure", ["l_infinity", "jensen_shannon"])
def test_a_vector_has_no_distribution_to_limit(section, measure):
    with pytest.raises(SpecError, match="a vector has no distribution to compare"):
        parsed(**{section: f"{{thresholds: {{look: {{{measure}: 0.1}}}}}}"})


def test_the_table_of_a_spec_says_what_a_vector_becomes():
    console = Console(file=io.StringIO(), width=200)
    print_spec(parsed("normalise: true, encoder: clip-1"), console)
    assert "3 values, of length 1, by clip-1 → 32" in console.file.getvalue()


@pytest.mark.parametrize(
    "value", [[1, 2.5, -3], (1, 2.5, -3), "1,2.5,-3", "[1, 2.5, -3]", np.array([1, 2.5, -3])]
)
def test_a_vector_is_a_list_an_array_or_a_text_of_numbers(value):
    assert finite_vector(value, 3, ",") == [1.0, 2.5, -3.0]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ([1.0, 2.0], "a list of 3 numbers is needed; received 2"),
        (7, "a list of 3 numbers is needed; received 7"),
        ([1.0, float("nan"), 0.0], "value 2 of 3: a finite number is needed; received nan"),
        ([1.0, None, 0.0], "value 2 of 3: a number is needed; received None"),
        ("1,x,3", "value 2 of 3: a number is needed; received 'x'"),
        ([1.0, 0.0, 1e39], "value 3 of 3: beyond the range of float32; received 1e+39"),
    ],
)
def test_a_mistake_in_a_vector_names_its_place(value, text):
    with pytest.raises(ValueError, match="needed|beyond") as refusal:
        finite_vector(value, 3, ",")
    assert str(refusal.value) == text
