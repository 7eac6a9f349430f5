"""Which exposures compete, and where the others go."""

from __future__ import annotations

import numpy as np
import pytest

from trainer.formula_search.groups import competing_groups
from trainer.formula_search.logged_exposures import LoggedExposures
from trainer.formula_search.objective import FormulaSearchError


def logged(requests, users, days):
    size = len(requests)
    return LoggedExposures(
        log_factors=np.zeros((size, 1)), ranking_scores=np.zeros(size), gains=np.zeros((size, 1)),
        request_keys=np.array(requests, np.bytes_), user_keys=np.array(users, np.bytes_), days=np.array(days),
    )  # fmt: skip


# Requests in any order: r2 has two exposures, r1 three, r3 one, and one exposure has none.
EXPOSURES = logged(
    ["r2", "r1", "r3", "r1", "", "r2", "r1"], ["b", "a", "a", "a", "a", "b", "a"], [1, 1, 2, 1, 2, 1, 1]
)  # fmt: skip


def test_exposures_of_a_request_compete_and_the_others_are_counted():
    groups = competing_groups(EXPOSURES, "auto", smallest=2)
    assert groups.by == "request"
    assert groups.rows.tolist() == [1, 3, 6, 0, 5]
    assert groups.group.tolist() == [0, 0, 0, 1, 1]
    assert groups.unit.tolist() == [0, 1]
    assert (groups.without_key, groups.in_groups_left_out, groups.groups_left_out) == (1, 1, 1)
    assert len(groups.rows) + groups.without_key + groups.in_groups_left_out == len(EXPOSURES)


def test_groups_too_small_to_have_an_order_are_left_out():
    groups = competing_groups(EXPOSURES, "request", smallest=3)
    assert groups.rows.tolist() == [1, 3, 6]
    assert groups.unit.tolist() == [0]
    assert (groups.in_groups_left_out, groups.groups_left_out) == (3, 2)


def test_without_requests_a_users_day_is_a_group_and_without_days_the_user():
    users, days = ["b", "a", "a", "a", "b"], [3, 3, 4, 4, 3]
    by_day = competing_groups(logged([""] * 5, users, days), "auto", smallest=1)
    assert by_day.by == "user_day"
    # (a, 3), (a, 4), (b, 3)
    assert (by_day.rows.tolist(), by_day.group.tolist(), by_day.unit.tolist()) == (
        [1, 2, 3, 0, 4],
        [0, 1, 1, 2, 2],
        [0, 0, 1],
    )
    by_user = competing_groups(logged([""] * 5, users, [-1] * 5), "auto", smallest=1)
    assert (by_user.by, by_user.rows.tolist(), by_user.group.tolist()) == (
        "user",
        [1, 2, 3, 0, 4],
        [0, 0, 0, 1, 1],
    )


def test_without_users_each_group_is_a_unit():
    groups = competing_groups(
        logged(["r1", "r1", "r2", "r2"], [""] * 4, [1] * 4), "auto", smallest=2
    )
    assert groups.unit.tolist() == [0, 1]


@pytest.mark.parametrize(
    ("exposures", "by", "text"),
    [
        (
            logged([""] * 2, [""] * 2, [1] * 2),
            "auto",
            "--group-by auto: no example has the keys for that; possible: none",
        ),
        (logged([""] * 2, ["a"] * 2, [1] * 2), "request", "possible: user_day, user"),
        (
            logged(["r", "s"], ["a"] * 2, [1] * 2),
            "auto",
            "no request has 2 or more exposures.* 2 groups of at most 1",
        ),
    ],
)
def test_exposures_that_cannot_be_grouped_are_refused_with_what_is_possible(exposures, by, text):
    with pytest.raises(FormulaSearchError, match=text):
        competing_groups(exposures, by, smallest=2)
