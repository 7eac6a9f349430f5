"""Changes on a page: in colour only where they are beyond noise."""

from __future__ import annotations

import pytest

from pipeline.evaluate.evaluation_result import Estimate, change_text
from pipeline.report.elements.estimates import change_cell, gain_cell


@pytest.mark.parametrize(
    ("change", "tone"),
    [
        (Estimate(value=0.02, lower=0.01, upper=0.03), "good"),
        (Estimate(value=-0.02, lower=-0.03, upper=-0.01), "bad"),
        (Estimate(value=0.02, lower=-0.01, upper=0.05), "quiet"),
        (Estimate(value=0.02), "quiet"),
        (Estimate(value=-0.02), "quiet"),
    ],
)
def test_a_change_has_a_colour_only_beyond_noise(change: Estimate, tone: str) -> None:
    assert change_cell("auc", change).tone == tone
    assert gain_cell(change).tone == tone


def test_without_an_interval_the_page_and_the_text_say_so() -> None:
    assert change_cell("auc", Estimate(value=0.02)).detail == "no interval: cannot tell"
    assert change_text(Estimate(value=0.02)) == "+0.0200 (no interval)"
