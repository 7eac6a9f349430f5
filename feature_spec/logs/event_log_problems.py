"""What other sections say of event logs, and that cannot be so."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from feature_spec.logs.event_logs import Actions, EventTime
from feature_spec.logs.logs import Keys, SideTable
from feature_spec.strict_model import Problem


def event_log_problems(
    actions: Actions,
    keys: Keys,
    tables: Mapping[str, SideTable],
    weight: str | None,
    arrival_time: EventTime | None,
) -> Iterable[Problem]:
    """Yield the mistakes of a spec with event logs.

    Args:
        actions: the log of actions.
        keys: the section `keys`.
        tables: the side tables by name.
        weight: the column of weights, if any.
        arrival_time: the setting `arrival_time` of histories, if given.
    """
    for key in (actions.join_by, "item", "event_time"):
        if getattr(keys, key) is None:
            yield Problem(
                ("logs", "actions"),
                actions.join_by,
                f"needs 'keys.{key}' to join actions to impressions",
            )
    if arrival_time is not None:
        yield Problem(
            ("histories", "arrival_time"),
            arrival_time.column,
            "event logs have none: feedback counts from the times of the actions",
        )
    columns = {keys.request, keys.user, keys.item, weight}
    columns |= {table.exposure_key or table.key for table in tables.values()}
    columns |= {keys.event_time.column} if keys.event_time else set()
    for column in sorted(actions.folds.keys() & columns):
        yield Problem(
            ("logs", "actions", "folds", column),
            column,
            "a key or the weight of an impression cannot come from actions",
        )
