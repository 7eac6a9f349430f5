"""Formula files: written, read, and turned into the weights of a request."""

from __future__ import annotations

from pathlib import Path

import pytest

from feature_spec.formula import DurationFactor, RankingFormula
from feature_spec.loading import SpecError, formula_yaml, load_formula, parse_spec, request_weights

FORMULA = RankingFormula(
    weights={"click": 0.25}, duration=DurationFactor(field="length_s", weight=-1.5)
)


@pytest.fixture
def read(tmp_path):
    def write_and_read(text):
        (tmp_path / "formula.yaml").write_text(text)
        return load_formula(tmp_path / "formula.yaml")

    return write_and_read


def test_a_formula_comes_back_as_it_was_written(read):
    text = formula_yaml(FORMULA, "found")
    assert text.startswith("# found\nranking_formula:\n")
    assert read(text) == FORMULA
    without_duration = RankingFormula(weights={"click": 1.0})
    assert read(formula_yaml(without_duration)) == without_duration


def test_a_formula_file_is_a_section_that_a_spec_takes(spec_text):
    ours = spec_text[: spec_text.index("ranking_formula")] + formula_yaml(FORMULA, "found")
    assert parse_spec(ours).ranking_formula == FORMULA


def test_a_request_gets_every_weight_of_the_formula_and_0_for_what_it_leaves_out(spec_text):
    spec = parse_spec(spec_text)
    assert request_weights(FORMULA, spec, Path("f")) == {
        "click": 0.25,
        "ratio": 0.0,
        "duration": -1.5,
    }
    # The spec's own duration has weight 1.
    assert request_weights(RankingFormula(weights={"ratio": 2.0}), spec, Path("f")) == {
        "click": 0.0, "ratio": 2.0, "duration": 0.0,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("formula", "problem"),
    [
        (
            RankingFormula(weights={"clic": 1.0}),
            "f: weights.clic: spec tiny has no such task: did you mean 'click'",
        ),
        (
            RankingFormula(
                weights={}, duration=DurationFactor(field="length_s", transform="sigmoid")
            ),
            "f: duration: a request can change its weight only: received .*sigmoid.* spec tiny has .*log1p",
        ),
    ],
)
def test_what_no_request_can_change_is_refused(spec_text, formula, problem):
    with pytest.raises(SpecError, match=problem):
        request_weights(formula, parse_spec(spec_text), Path("f"))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[]", "formula.yaml: a formula file is a mapping with ranking_formula; received \\[\\]"),
        ("weights: {click: 1.0}", "unknown key 'weights'"),
        (
            "ranking_formula: {weights: {click: much}}",
            "ranking_formula.weights.click: .* \\(received 'much'\\)",
        ),
    ],
)
def test_what_is_no_formula_is_refused_with_its_place(read, text, problem):
    with pytest.raises(SpecError, match=problem):
        read(text)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(SpecError, match="none.yaml: cannot be read"):
        load_formula(tmp_path / "none.yaml")
