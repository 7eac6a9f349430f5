"""What a difference on held-out groups tells."""

from __future__ import annotations

import pytest

from trainer.formula_search.found_formula import Difference


@pytest.mark.parametrize(
    ("difference", "lower", "upper", "units", "verdict"),
    [
        (0.2, 0.1, 0.3, 40, "gain"),
        (-0.2, -0.3, -0.1, 40, "loss"),
        (0.2, -0.1, 0.3, 40, "within noise"),
        (0.0, 0.0, 0.0, 40, "within noise"),
        # Of two users both gain, by chance or not.
        (0.2, 0.1, 0.3, 2, "cannot tell"),
        (-0.2, -0.3, -0.1, 4, "cannot tell"),
        # All users gain the same: nothing says how far another would be from that.
        (0.2, 0.2, 0.2, 40, "cannot tell"),
        # A result of an older version does not say how many there were.
        (0.2, 0.1, 0.3, None, "gain"),
    ],
)
def test_a_verdict_needs_users_that_differ(difference, lower, upper, units, verdict):
    found = Difference(
        objective="share", current=1.0, found=1.0 + difference, difference=difference,
        lower=lower, upper=upper, units=units,
    )  # fmt: skip
    assert found.verdict == verdict
