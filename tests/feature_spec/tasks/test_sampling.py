"""The section `sampling` of a spec."""

from __future__ import annotations

import pytest

from feature_spec.loading import SpecError, parse_spec


def test_one_rate_is_that_of_all_binary_tasks(spec_text):
    assert parse_spec(spec_text + "sampling: {negative_rate: 0.2}\n").negative_rates() == {
        "click": 0.2
    }


def test_tasks_may_have_rates_of_their_own(spec_text):
    assert parse_spec(
        spec_text + "sampling: {negative_rates: {click: 0.5}}\n"
    ).negative_rates() == {"click": 0.5}


def test_by_default_nothing_is_sampled(spec_text):
    assert parse_spec(spec_text).negative_rates() == {}


@pytest.mark.parametrize(
    ("sampling", "message"),
    [
        ("{}", "needs either 'negative_rate' or 'negative_rates'"),
        ("{negative_rate: 0.0}", "greater than 0"),
        ("{negative_rate: 1.5}", "less than or equal to 1"),
        ("{negative_rates: {clik: 0.5}}", "no such binary task: did you mean 'click'"),
        ("{negative_rates: {ratio: 0.5}}", "no such binary task"),
    ],
)
def test_a_sampling_that_cannot_be_is_refused(spec_text, sampling, message):
    with pytest.raises(SpecError, match=message):
        parse_spec(spec_text + f"sampling: {sampling}\n")
