"""What a difference on held-out groups tells."""

from __future__ import annotations

import pytest

from feature_spec.formula import RankingFormula
from trainer.formula_search.found_formula import (
    Difference,
    ExposureCounts,
    FoundFormula,
    FrontPoint,
    GroupCounts,
)


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


def difference(objective: str, lower: float, upper: float, **changes) -> Difference:
    middle = (lower + upper) / 2
    return Difference(
        objective=objective, current=1.0, found=1.0 + middle, difference=middle, lower=lower,
        upper=upper, **{"units": 40, **changes},
    )  # fmt: skip


def test_of_a_minimised_objective_less_is_a_gain():
    assert difference("report", -0.3, -0.1, minimised=True).verdict == "gain"
    assert difference("report", 0.1, 0.3, minimised=True).verdict == "loss"
    assert difference("report", -0.1, 0.3, minimised=True).verdict == "within noise"


@pytest.mark.parametrize(
    ("weight", "held_out", "reason"),
    [
        (2.0, [difference("share", 0.1, 0.3), difference("report", -0.1, 0.2)], None),
        (
            2.0,
            [difference("share", 0.1, 0.3), difference("report", 0.1, 0.2, minimised=True)],
            "the found weights lose report on users that the search has not seen",
        ),
        (
            2.0,
            [difference("share", 0.1, 0.3, units=3)],
            "there are too few users to tell what becomes of share",
        ),
        (1.0, [difference("share", 0.0, 0.0)], "no weights tried are better on every objective"),
    ],
)
def test_the_current_formula_stays_where_an_objective_loses_on_users_not_seen_beyond_noise(
    weight, held_out, reason
):
    found = FoundFormula(
        spec="s", folder="f", group_by="user", top_k=1, discount="none", trials=1, seed=1,
        exposures=ExposureCounts(logged=0, without_key=0, in_groups_left_out=0, searched=0, held_out=0),
        groups=GroupCounts(left_out=0, searched=0, held_out=0, held_out_units=0),
        current={"share": 1.0}, chosen=0, formula=RankingFormula(weights={"share": weight}),
        front=[FrontPoint(weights={"share": weight}, searched={}, held_out=held_out)],
    )  # fmt: skip
    assert found.reason_to_keep == reason
