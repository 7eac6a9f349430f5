"""Impressions with what their actions come to: actions attributed, folded into columns."""

from __future__ import annotations

import math
import pickle
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from feature_spec.logs.event_logs import Actions, FoldedColumn
from feature_spec.names import EVENT_TIME
from pipeline.ingest.accounting.rejection import Reason, RejectedLine
from pipeline.ingest.events.event_deduplication import rejected_event
from pipeline.ingest.events.event_rows import EVENT_COLUMNS, VALUE
from pipeline.ingest.labelling.labelled_rows import ValuesReader
from pipeline.ingest.sources.rows import JoinedRows, Problems

_MICROSECONDS = 1_000_000


class Joined(NamedTuple):
    """What became of some impressions and their actions.

    Attributes:
        impressions: those that are not of a neighbouring day.
        columns: the folded columns, a value an impression, in their order.
        kinds: how many actions of each kind were attributed.
        rejected: actions that were not.
        of_other_days: how many actions belong to impressions of neighbouring days, or are left to
            their own ingestion.
    """

    impressions: pa.Table | None
    columns: dict[str, list[Any]]
    kinds: Counter[str]
    rejected: list[RejectedLine]
    of_other_days: int


def joined(
    impressions: pa.Table | None, actions: pa.Table | None, rules: Actions, files: Sequence[str]
) -> Joined:
    """Attributes actions to impressions of one request, or user, and item.

    An action belongs to the latest of these impressions that is not after it. If that is more than
    `rules.window_s` before the action, the action is late; if there is none, it is an orphan. What
    is not our own takes part, and is left to the ingestion of its day.

    Args:
        impressions: all with some join keys (see `event_rows`), without duplicates; None if there
            are none.
        actions: all with these join keys, without duplicates; None if there are none.
        rules: of the actions.
        files: names of the actions' files.
    """
    if actions is None:
        actions = _no_actions(rules)
    belongs_to, is_known = _latest_before(impressions, actions)
    found = belongs_to >= 0
    after_us = np.zeros(len(found), np.int64)
    is_shown = np.zeros(0, bool)  # whether an impression is our own
    ours = np.zeros(len(found), bool)  # whether the impression of an action is
    if impressions is not None and impressions.num_rows:
        after_us = (
            actions.column(EVENT_TIME).to_numpy()
            - impressions.column(EVENT_TIME).to_numpy()[belongs_to]
        )
        is_shown = impressions.column("is_own").to_numpy()
        ours = is_shown[belongs_to]
    late = found & (after_us > round(rules.window_s * _MICROSECONDS))
    belongs, is_own = found & ~late, actions.column("is_own").to_numpy()
    rejected = []
    for number in np.flatnonzero(~belongs & is_own).tolist():
        if late[number]:
            after_s = after_us[number] / _MICROSECONDS
            detail = (
                f"{after_s:,.0f} s after its impression, more than window_s {rules.window_s:,g}"
            )
        elif is_known[number]:
            detail = f"before the first impression of this {rules.join_by} and item"
        else:
            detail = "without an impression"
        reason = Reason.LATE_ACTION if late[number] else Reason.ORPHAN_ACTION
        rejected.append(rejected_event(actions, number, files, reason, detail))
    attributed = np.flatnonzero(belongs & ours)
    attributed_actions = actions.take(pa.array(attributed))
    owners = np.cumsum(is_shown)[belongs_to[attributed]] - 1 if len(attributed) else attributed
    count = int(np.count_nonzero(is_shown))
    columns = {
        column: _folded(rule, attributed_actions, owners, count)
        for column, rule in rules.folds.items()
    }
    kinds = pc.value_counts(attributed_actions.column("kind")).to_pylist()
    return Joined(
        impressions=impressions.filter(pa.array(is_shown)) if impressions is not None else None,
        columns=columns,
        kinds=Counter({kind["values"].decode(): kind["counts"] for kind in kinds}),
        rejected=rejected,
        of_other_days=int(np.count_nonzero(np.where(belongs, ~ours, ~is_own))),
    )


def label_joined(
    impressions: pa.Table,
    columns: Mapping[str, list[Any]],
    read_values: ValuesReader,
    files: Sequence[str],
) -> tuple[pa.Table, list[RejectedLine]]:
    """Joined impressions as the labeller makes rows of exposures.

    Args:
        impressions: see `event_rows`.
        columns: what their actions come to, as of `joined`.
        read_values: reads what needs these columns.
        files: names of the impressions' files.

    Returns:
        the rows that can be used (see `labelled_rows`), and those that cannot.
    """
    needed = dict(columns)
    if read_values.columns:
        carried = [pickle.loads(values) for values in impressions.column("carried").to_pylist()]  # noqa: S301 (our own bytes)
        by_column = zip(*carried, strict=True) if carried else ([] for _ in read_values.columns)
        needed |= {
            column: list(values)
            for column, values in zip(read_values.columns, by_column, strict=True)
        }
    problems: Problems = {}
    rows = impressions.drop_columns(
        [name for name in EVENT_COLUMNS if name in impressions.column_names]
    )
    for name, values in read_values(JoinedRows(needed), problems).items():
        rows = rows.append_column(name, values)
    for position in np.flatnonzero(impressions.column("problem").is_valid()).tolist():
        problems[position] = pickle.loads(impressions.column("problem")[position].as_py())  # noqa: S301
    usable = np.ones(rows.num_rows, bool)
    usable[list(problems)] = False
    rejected = [
        rejected_event(
            impressions, position, files, problems[position].reason, problems[position].detail
        )
        for position in sorted(problems)
    ]
    return rows.filter(pa.array(usable)), rejected


def _latest_before(
    impressions: pa.Table | None, actions: pa.Table
) -> tuple[np.ndarray, np.ndarray]:
    """For each action, the position of the latest impression of its key not after it, or -1; and whether one has its key."""
    if impressions is None or not impressions.num_rows:
        return np.full(actions.num_rows, -1), np.zeros(actions.num_rows, bool)
    names = ("join_key", EVENT_TIME, "draw", "place")
    keys, shown_us, draw, place = (impressions.column(name).combine_chunks() for name in names)
    different = pc.unique(keys)
    key_of_impression = pc.index_in(keys, value_set=different).to_numpy()
    key = pc.fill_null(
        pc.index_in(actions.column("join_key").combine_chunks(), value_set=different), -1
    ).to_numpy()
    # Of several at one time, the last digest counts as the latest.
    order = np.lexsort((place, draw, shown_us, key_of_impression))
    # Key and time as one number, which can be searched: times by their rank, with room for what is
    # before the first.
    times = np.unique(shown_us)
    span = len(times) + 1
    at = key_of_impression[order].astype(np.int64) * span + np.searchsorted(
        times, shown_us.to_numpy()[order]
    )
    action_at = (
        key.astype(np.int64) * span
        + np.searchsorted(times, actions.column(EVENT_TIME).to_numpy(), side="right")
        - 1
    )
    before = np.searchsorted(at, action_at, side="right")
    latest = order[before - 1]
    return np.where((before > 0) & (key_of_impression[latest] == key), latest, -1), key >= 0


def _folded(rule: FoldedColumn, actions: pa.Table, owners: np.ndarray, count: int) -> list[Any]:
    """The values of a column.

    Args:
        rule: of the column.
        actions: N of them.
        owners: (N,), the number of each one's impression.
        count: how many impressions there are.
    """
    of_kind = pc.equal(actions.column("kind"), rule.action.encode()).to_numpy().astype(bool)
    if rule.fold in ("any", "count"):
        happened = np.bincount(owners[of_kind], minlength=count)
        return (np.minimum(happened, 1) if rule.fold == "any" else happened).tolist()
    values = actions.column(f"{VALUE}{rule.value}").to_numpy()
    taken = of_kind & ~np.isnan(values)
    values, owners = values[taken], owners[taken]
    if rule.fold == "maximum":
        largest = np.full(count, np.nan)
        np.fmax.at(largest, owners, values)
        return [None if math.isnan(value) else value for value in largest.tolist()]
    sums = np.zeros(count)
    sums[owners] = values
    several = np.flatnonzero((np.bincount(owners, minlength=count) > 1)[owners])
    parts: defaultdict[int, list[float]] = defaultdict(list)
    for owner, value in zip(owners[several].tolist(), values[several].tolist(), strict=True):
        parts[owner].append(value)
    for owner, of_owner in parts.items():
        sums[owner] = math.fsum(of_owner)  # the same in any order
    return sums.tolist()


def _no_actions(rules: Actions) -> pa.Table:
    columns = {
        "join_key": pa.binary(),
        "kind": pa.binary(),
        EVENT_TIME: pa.int64(),
        "is_own": pa.bool_(),
    }
    columns |= {
        f"{VALUE}{rule.value}": pa.float64()
        for rule in rules.folds.values()
        if rule.value is not None
    }
    return pa.schema(list(columns.items())).empty_table()
