"""Chains in a spec: conditions, joint probabilities in the formula, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from feature_spec.checking import checked_spec
from feature_spec.loading import SpecError, load_formula, parse_spec, request_weights
from feature_spec.tasks.chain import conditions, labels_in_chain

BUY = "  buy: {kind: binary, given: click, label: {rule: event, column: bought}, metric: auc}\n"
RATE = "  rate: {kind: binary, given: buy, label: {rule: at_least, column: stars, threshold: 4}, metric: auc}\n"


def with_chain(spec_text, more=BUY, weights="click: 1.0"):
    text = spec_text.replace("ranking_formula:", f"{more}ranking_formula:")
    return text.replace("weights: {click: 1.0}", f"weights: {{{weights}}}")


def test_conditions_begin_with_the_first_task_of_the_chain(spec_text):
    spec = parse_spec(with_chain(spec_text, BUY + RATE))
    assert conditions(spec.tasks, "rate") == ["click", "buy"]
    assert spec.joints == {
        "joint_of_buy": ["click", "buy"],
        "joint_of_rate": ["click", "buy", "rate"],
    }


def test_a_joint_probability_is_judged_by_the_metric_and_tolerance_of_its_last_task(spec_text):
    more = BUY.replace("metric: auc", "metric: log_loss, tolerance: 0.02, threshold: 0.4")
    spec = parse_spec(with_chain(spec_text, more))
    joint = spec.judged_tasks["joint_of_buy"]
    assert (joint.metric, joint.tolerance, joint.threshold) == ("log_loss", 0.02, None)
    assert list(spec.judged_tasks) == ["click", "ratio", "buy", "joint_of_buy"]


def test_a_joint_probability_in_the_formula_is_its_factors(spec_text):
    spec = parse_spec(with_chain(spec_text, weights="joint_of_buy: 2, ratio: 1"))
    assert spec.ranking_formula.weights == {"click": 2.0, "buy": 2.0, "ratio": 1.0}


@pytest.mark.parametrize("weights", ["click: 1, joint_of_buy: 2", "joint_of_buy: 2, click: 1"])
def test_the_product_beside_one_of_its_factors_is_refused_with_what_it_would_be(spec_text, weights):
    with pytest.raises(SpecError) as error:
        parse_spec(with_chain(spec_text, weights=weights))
    assert "joint_of_buy is click · buy, and click would count a part of it twice" in str(
        error.value
    )
    assert "click: 3" in str(error.value)
    assert "buy: 2" in str(error.value)


def test_a_weight_of_0_counts_nothing_twice(spec_text):
    spec = parse_spec(with_chain(spec_text, weights="click: 0, joint_of_buy: 2"))
    assert spec.ranking_formula.weights == {"click": 2.0, "buy": 2.0}


def test_two_products_of_one_task_are_refused(spec_text):
    with pytest.raises(SpecError, match="joint_of_rate would count a part of it twice"):
        parse_spec(with_chain(spec_text, BUY + RATE, "joint_of_buy: 1, joint_of_rate: 1"))


def test_a_formula_file_may_name_a_joint_probability(spec_text, tmp_path):
    spec = parse_spec(with_chain(spec_text))
    file = tmp_path / "formula.yaml"
    file.write_text("ranking_formula: {weights: {joint_of_buy: 2}}")
    assert request_weights(load_formula(file), spec, file) == {
        "duration": 0.0, "click": 2.0, "ratio": 0.0, "buy": 2.0,
    }  # fmt: skip
    file.write_text("ranking_formula: {weights: {joint_of_buy: 2, buy: 1}}")
    with pytest.raises(
        SpecError, match=r"weights\.joint_of_buy: .* would count a part of it twice"
    ):
        request_weights(load_formula(file), spec, file)


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("given: click", "given: clik", "no such task before it: did you mean 'click'"),
        ("given: click", "given: buy", "no such task before it: valid: click (received"),
        ("given: click", "given: ratio", "'ratio' is a regression; a condition is a binary task"),
        ("given: click", "given: click, sample_space: {event: a}", "takes the place of 'sample_space'"),
        ("given: click", "chain: esmm", "needs 'given', the task whose label must be 1"),
        ("given: click", "given: click, chain: esm", "chain: "),
        ("given: click", "given: click, chain: esmm, joint_weight: 2", "needs 'chain: escm2_ips' or"),
        ("given: click", "given: click, propensity_floor: 0.1", "needs 'chain: escm2_ips' or"),
        ("given: click", "given: click, chain: escm2_ips, propensity_floor: 0", "greater than 0"),
    ],
)  # fmt: skip
def test_a_chain_that_cannot_be_is_refused(spec_text, before, after, message):
    with pytest.raises(SpecError) as error:
        parse_spec(with_chain(spec_text, BUY.replace(before, after)))
    assert message in str(error.value)


def test_a_condition_stands_before_its_task(spec_text):
    text = with_chain(spec_text, "").replace("tasks:\n", f"tasks:\n{BUY}")
    with pytest.raises(SpecError, match="stands before it: move 'click' up"):
        parse_spec(text)


def test_a_condition_happened_or_did_not(spec_text):
    text = with_chain(spec_text).replace(
        "{rule: event, column: clicked}", "{rule: column, column: c}"
    )
    with pytest.raises(SpecError, match="may lie between 0 and 1"):
        parse_spec(text)


def test_a_regression_may_be_given_but_needs_no_chain_and_has_no_joint_probability(spec_text):
    given = (
        "  stars: {kind: regression, given: click, label: {rule: column, column: s}, metric: mse}\n"
    )
    assert parse_spec(with_chain(spec_text, given)).joints == {}
    with pytest.raises(SpecError, match="needs a binary task; this is a regression"):
        parse_spec(
            with_chain(spec_text, given.replace("given: click", "given: click, chain: esmm"))
        )


def test_negatives_of_a_condition_are_sampled_and_those_under_it_are_not(spec_text):
    text = with_chain(spec_text) + "sampling: {negative_rate: 0.2}\n"
    assert parse_spec(text).negative_rates() == {"click": 0.2}
    with pytest.raises(SpecError, match="all its examples are positives of 'click'"):
        parse_spec(with_chain(spec_text) + "sampling: {negative_rates: {buy: 0.2}}\n")


def test_a_condition_is_part_of_the_fingerprint_and_the_loss_is_not(spec_text):
    spec = parse_spec(with_chain(spec_text))
    trained = parse_spec(with_chain(spec_text, BUY.replace("click,", "click, chain: esmm,")))
    alone = parse_spec(with_chain(spec_text, BUY.replace("given: click, ", "")))
    assert spec.fingerprint == trained.fingerprint != alone.fingerprint


@pytest.mark.parametrize(
    "section",
    [
        "trainer: {balancing: famo}\n",
        "tuner: {search: {trainer.balancing: {values: [none, famo]}}}\n",
    ],
)
def test_a_loss_that_may_be_negative_is_not_balanced_by_its_logarithm(spec_text, section, tmp_path):
    file = tmp_path / "spec.yaml"
    file.write_text(
        with_chain(spec_text, BUY.replace("click,", "click, chain: escm2_dr,")) + section
    )
    with pytest.raises(SpecError, match=r"trainer\.balancing: famo needs losses .* tasks\.buy"):
        checked_spec(str(file))
    file.write_text(with_chain(spec_text, BUY.replace("click,", "click, chain: esmm,")) + section)
    assert checked_spec(str(file)).tasks["buy"].chain == "esmm"


class Columns:
    """Columns of three exposures, by name."""

    def __init__(self, **columns):
        self.columns = {name: np.array(values, float) for name, values in columns.items()}

    def numbers(self, column, *, minimum=None, maximum=None):
        del minimum, maximum
        return self.columns[column]

    def events(self, column, equals=None):
        del equals
        return np.nan_to_num(self.columns[column]) > 0


def test_a_label_exists_where_all_tasks_before_it_have_1(spec_text):
    spec = parse_spec(with_chain(spec_text, BUY + RATE))
    # Not clicked, though the log says bought; clicked; bought; bought, and no one knows the stars.
    columns = Columns(clicked=[0, 1, 1, 1], bought=[1, 0, 1, 1], stars=[5, 5, 5, np.nan])
    stages = [spec.tasks[name] for name in ("click", "buy", "rate")]
    assert np.array_equal(labels_in_chain(stages[:1], columns), [0, 1, 1, 1])
    assert np.array_equal(labels_in_chain(stages[:2], columns), [np.nan, 0, 1, 1], equal_nan=True)
    assert np.array_equal(
        labels_in_chain(stages, columns), [np.nan, np.nan, 1, np.nan], equal_nan=True
    )
