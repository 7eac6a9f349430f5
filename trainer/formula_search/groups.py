"""Groups of logged exposures that compete for a place: of a request, a user's day or a user."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from trainer.formula_search.logged_exposures import LoggedExposures
from trainer.formula_search.objective import FormulaSearchError

GroupBy = Literal["auto", "request", "user_day", "user"]
Integers = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Groups:
    """Groups of exposures whose order makes a difference.

    Attributes:
        by: the kind of group: `request`, `user_day` or `user`.
        rows: positions of the exposures that are replayed, group by group, (R,).
        group: the group of each of these exposures, from 0 to G − 1, (R,).
        unit: the user of each group, or the group itself without users, from 0 to U − 1, (G,).
            Groups of one user are alike, so users, not groups, are drawn and divided.
        without_key: the number of exposures without the keys that make a group.
        in_groups_left_out: the number of exposures in groups whose order makes no difference.
        groups_left_out: the number of these groups.
    """

    by: GroupBy
    rows: Integers
    group: Integers
    unit: Integers
    without_key: int
    in_groups_left_out: int
    groups_left_out: int


def competing_groups(exposures: LoggedExposures, by: GroupBy, smallest: int) -> Groups:
    """Group the exposures that compete with each other.

    Args:
        exposures: logged exposures.
        by: `auto` takes the first of request, user_day and user that any exposure has the keys for.
        smallest: exposures of the smallest group whose order makes a difference; smaller ones are
            left out.

    Raises:
        FormulaSearchError: no exposure has the keys, or no group is large enough.
    """
    keyed: dict[GroupBy, npt.NDArray[np.bool_]] = {
        "request": exposures.request_keys != b"",
        "user_day": (exposures.user_keys != b"") & (exposures.days >= 0),
        "user": exposures.user_keys != b"",
    }
    possible = [name for name, has_key in keyed.items() if has_key.any()]
    chosen = possible[0] if by == "auto" and possible else by
    if chosen not in possible:
        raise FormulaSearchError(
            f"--group-by {by}: no example has the keys for that; possible: "
            f"{', '.join(possible) or 'none'}. The spec's "
            f"keys.request, keys.user and keys.event_time bring them into the examples"
        )
    rows = np.flatnonzero(keyed[chosen])
    users = np.unique(exposures.user_keys[rows], return_inverse=True)[1]
    if chosen == "request":
        group = np.unique(exposures.request_keys[rows], return_inverse=True)[1]
    elif chosen == "user_day":
        days = exposures.days[rows]
        group = np.unique(users * (days.max() + 1) + days, return_inverse=True)[1]
    else:
        group = users
    sizes = np.bincount(group)
    large = sizes >= smallest
    if not large.any():
        raise FormulaSearchError(
            f"no {chosen} has {smallest} or more exposures, so that no order makes a difference: "
            f"{len(sizes):,} groups of at most {sizes.max()}. Coarser groups may (--group-by)"
        )
    kept = large[group]
    rows, users, group = rows[kept], users[kept], group[kept]
    order = np.argsort(group, kind="stable")
    rows, users = rows[order], users[order]
    group = np.unique(group[order], return_inverse=True)[1]
    first = np.flatnonzero(np.diff(group, prepend=-1))
    has_user = (exposures.user_keys[rows[first]] != b"").all()
    unit = np.unique(users[first], return_inverse=True)[1] if has_user else np.arange(len(first))
    return Groups(
        by=chosen,
        rows=rows,
        group=group,
        unit=unit,
        without_key=len(exposures) - int(sizes.sum()),
        in_groups_left_out=int(sizes[~large].sum()),
        groups_left_out=int((~large).sum()),
    )
