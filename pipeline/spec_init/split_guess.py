"""A split for a log: by days if it has a time, else by its files, else by shares."""

from __future__ import annotations

import datetime
import glob
from collections import Counter
from collections.abc import Sequence
from typing import Any

from pipeline.ingest.settings.log_days import SMALLEST_SHARE_OF_DAY
from pipeline.spec_init.roles import Roles
from pipeline.spec_init.seen_columns import SeenSource
from pipeline.spec_init.words import words_of

_JUDGING_SHARE, _MOST_JUDGING = 0.1, 0.5
_SMALL_LOG = 20_000
_FEW_USERS = 50
_JUDGES = frozenset({"test", "eval", "evaluation", "heldout"})


def guessed_split(
    log: SeenSource, roles: Roles, days: Counter[datetime.date], names: Sequence[str]
) -> tuple[dict[str, Any], str]:
    """Return the section `split`, and what was seen or is left to decide.

    Args:
        log: the log.
        roles: the roles of its columns.
        days: the lines of each day; empty without a time.
        names: the names of the log's files.
    """
    validation = {"validation_share": 0.1} if log.about_lines < _SMALL_LOG else {}
    count = _last_days(days)
    if count:
        seen = f"the log has {len(days):,} days" if log.is_whole else "of a sample"
        return {"evaluation_days": count, **validation}, f"{seen}; decide: how many days judge"
    judging = [name for name in names if _JUDGES & set(words_of(name))]
    if judging and len(judging) < len(names):
        patterns = [glob.escape(name) for name in judging]
        return {"evaluation_files": patterns, **validation}, "told by the names of the files"
    by_user = roles.user is not None and len(log.columns[roles.user].counts) >= _FEW_USERS
    share = {"evaluation_share": 0.2, **({"by": "user"} if by_user else {})}
    return {**share, **validation}, "decide: days judge better, if the log gets an event time"


def _last_days(days: Counter[datetime.date]) -> int:
    """Return how many last days hold a tenth of the lines; 0 if too few are left to train on."""
    lines = days.total()
    ascending = sorted(day for day in days if days[day] >= SMALLEST_SHARE_OF_DAY * lines)
    judged = 0
    for number, day in enumerate(reversed(ascending), 1):
        judged += days[day]
        if judged >= _JUDGING_SHARE * lines:
            enough = judged <= _MOST_JUDGING * lines and number < len(ascending)
            return number if enough else 0
    return 0
