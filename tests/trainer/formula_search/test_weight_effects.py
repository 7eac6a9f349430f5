"""What each weight decides, against lists small enough to be ordered by hand."""

from __future__ import annotations

import numpy as np
import pytest

from trainer.formula_search.logged_exposures import LoggedExposures
from trainer.formula_search.weight_effects import WeightEffect, effects_of, long_lists

# Two lists of eleven exposures. In both, factor a goes 10, 9, …, 0. In the first one the last
# exposure has b = 1.5, so that with weights of 1 it scores 0 + 1.5 and comes before the last but
# one, which scores 1: the top 10 are all but that one.
A = [float(10 - position) for position in range(11)]
LOG_FACTORS = np.array(
    [[a, 1.5 if position == 10 else 0.0] for position, a in enumerate(A)] + [[a, 0.0] for a in A]
)
GROUP = np.repeat([0, 1], 11)


@pytest.fixture
def effects() -> dict[tuple[str, float], WeightEffect]:
    found = effects_of(LOG_FACTORS, GROUP, {"a": 1.0, "b": 1.0})
    return {(effect.name, effect.factor): effect for effect in found}


def test_each_weight_is_changed_by_each_factor(
    effects: dict[tuple[str, float], WeightEffect],
) -> None:
    assert list(effects) == [("a", 0.0), ("a", 0.5), ("a", 1.5), ("b", 0.0), ("b", 0.5), ("b", 1.5)]


def test_the_share_counts_lists_into_whose_top_another_candidate_comes(
    effects: dict[tuple[str, float], WeightEffect],
) -> None:
    # Without b, and with 0.75 of it, the last exposure falls behind the last but one: in one list
    # of two, one place of twenty.
    for factor in (0.0, 0.5):
        assert (effects["b", factor].changed_share, effects["b", factor].replaced_share) == (
            0.5,
            0.05,
        )
    # With 2.25 it climbs one place more within the top.
    assert (effects["b", 1.5].changed_share, effects["b", 1.5].replaced_share) == (0.0, 0.0)


def test_another_order_within_the_top_is_no_change_of_it_but_may_be_one_of_the_first_place(
    effects: dict[tuple[str, float], WeightEffect],
) -> None:
    # Without a, the first list begins with its last exposure, and the others stay in the order that
    # they are given in.
    assert (effects["a", 0.0].changed_share, effects["a", 0.0].changed_first_share) == (0.0, 0.5)
    assert effects["a", 0.5].changed_first_share == 0.0


def test_a_weight_of_0_has_no_effects_to_speak_of() -> None:
    assert {effect.name for effect in effects_of(LOG_FACTORS, GROUP, {"a": 1.0, "b": 0.0})} == {"a"}


def exposures(requests: list[bytes], users: list[bytes]) -> LoggedExposures:
    count = len(users)
    return LoggedExposures(
        log_factors=np.zeros((count, 1)),
        ranking_scores=np.zeros(count),
        gains=np.zeros((count, 0)),
        request_keys=np.array(requests),
        user_keys=np.array(users),
        days=np.full(count, -1),
    )


def test_lists_are_those_of_requests_where_any_is_long_enough() -> None:
    groups = long_lists(exposures([b"r1"] * 11 + [b"r2"] * 2, [b"u"] * 13))
    assert groups is not None
    assert (groups.by, len(groups.rows), len(groups.unit)) == ("request", 11, 1)


def test_users_stand_in_for_short_requests() -> None:
    groups = long_lists(exposures([b"r1"] * 10 + [b"r2"] * 10, [b"u"] * 20))
    assert groups is not None
    assert (groups.by, len(groups.rows)) == ("user", 20)


def test_there_are_no_lists_where_none_is_longer_than_the_top() -> None:
    assert long_lists(exposures([b""] * 20, [b"u"] * 10 + [b"v"] * 10)) is None
