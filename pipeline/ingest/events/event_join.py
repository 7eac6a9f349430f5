"""The join of impressions and actions: events made distinct, actions attributed and folded."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from feature_spec.logs.event_logs import Actions, FoldedColumn
from feature_spec.names import EVENT_TIME
from pipeline.ingest.accounting.rejection import Reason, RejectedLine, UnusableLineError
from pipeline.ingest.events.event_rows import EVENT_COLUMNS, VALUE, from_json
from pipeline.ingest.formats.record_batch import Problems
from pipeline.ingest.labelling.labelled_rows import ValuesReader

_MICROSECONDS = 1_000_000


class Deduplicated(NamedTuple):
    """Distinct events, and the lines that repeat them.

    Attributes:
        events: one line of each event.
        rejected: the other lines.
        of_other_days: number of further lines, of the days around, whose own ingestion rejects
            them.
    """

    events: pa.Table
    rejected: list[RejectedLine]
    of_other_days: int


def deduplicated(events: pa.Table, files: Sequence[str]) -> Deduplicated:
    """Keep the earliest line of each event; of several at one time, the one with the least digest.

    So the content that stays does not depend on the order of files and lines. Events are returned
    in the order of their digests.

    Args:
        events: all lines of some events (see `event_rows`).
        files: the names of the files.
    """
    columns = ("event_high", "event_low", EVENT_TIME, "digest_high", "digest_low", "file", "line")
    event_high, event_low, time_us, high, low, file, line = (
        events.column(name).to_numpy() for name in columns
    )
    order = np.lexsort((line, file, low, high, time_us, event_low, event_high))
    repeated = np.zeros(len(order), bool)
    repeated[1:] = (event_high[order[1:]] == event_high[order[:-1]]) & (
        event_low[order[1:]] == event_low[order[:-1]]
    )
    first_of = order[np.maximum.accumulate(np.where(repeated, 0, np.arange(len(order))))]
    in_partition = events.column("in_partition").to_numpy()[order]
    rejected = []
    for position in np.flatnonzero(repeated & in_partition).tolist():
        earlier = first_of[position]
        detail = f"the same event as {files[file[earlier]]}, line {line[earlier]}"
        rejected.append(
            _rejected_event(events, int(order[position]), files, Reason.DUPLICATE, detail)
        )
    kept = order[~repeated]
    of_other_days = int(np.count_nonzero(repeated & ~in_partition))
    return Deduplicated(
        events.take(pa.array(kept[np.lexsort((low[kept], high[kept]))])), rejected, of_other_days
    )


class Joined(NamedTuple):
    """Impressions with the actions attributed to them.

    Attributes:
        impressions: the impressions in the partition.
        columns: the folded columns, each with a value an impression, in their order.
        actions: the actions attributed to them.
        owners: the place of each action's impression, (N,).
        kinds: the number of attributed actions by kind.
        rejected: actions that were not attributed.
        of_other_days: the number of actions that belong to impressions of the days around, or that
            are left to the ingestion of their own day.
    """

    impressions: pa.Table | None
    columns: dict[str, list[Any]]
    actions: pa.Table
    owners: np.ndarray
    kinds: Counter[str]
    rejected: list[RejectedLine]
    of_other_days: int


def joined(
    impressions: pa.Table | None, actions: pa.Table | None, rules: Actions, files: Sequence[str]
) -> Joined:
    """Attribute actions to impressions of one request, or user, and item.

    An action belongs to the latest of these impressions that is not after it. If that is more than
    `rules.window_s` before the action, the action is late; if there is none, it is an orphan.
    Events outside the partition take part, and are left to the ingestion of their day.

    Args:
        impressions: all distinct impressions with some join keys (see `event_rows`); None if there
            are none.
        actions: all distinct actions with these join keys; None if there are none.
        rules: the rules of the spec for actions.
        files: the names of the files of actions.
    """
    if actions is None:
        actions = _no_actions(rules)
    belongs_to, is_known = _latest_before(impressions, actions)
    found = belongs_to >= 0
    after_us = np.zeros(len(found), np.int64)
    kept = np.zeros(0, bool)  # whether an impression is in the partition
    of_kept = np.zeros(len(found), bool)  # whether the impression of an action is
    if impressions is not None and impressions.num_rows:
        after_us = (
            actions.column(EVENT_TIME).to_numpy()
            - impressions.column(EVENT_TIME).to_numpy()[belongs_to]
        )
        kept = impressions.column("in_partition").to_numpy()
        of_kept = kept[belongs_to]
    late = found & (after_us > round(rules.window_s * _MICROSECONDS))
    belongs, in_partition = found & ~late, actions.column("in_partition").to_numpy()
    rejected = []
    for number in np.flatnonzero(~belongs & in_partition).tolist():
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
        rejected.append(_rejected_event(actions, number, files, reason, detail))
    attributed = np.flatnonzero(belongs & of_kept)
    attributed_actions = actions.take(pa.array(attributed))
    owners = np.cumsum(kept)[belongs_to[attributed]] - 1 if len(attributed) else attributed
    count = int(np.count_nonzero(kept))
    columns = {
        column: folded(rule, attributed_actions, owners, count)
        for column, rule in rules.folds.items()
    }
    kinds = pc.value_counts(attributed_actions.column("kind")).to_pylist()
    return Joined(
        impressions=impressions.filter(pa.array(kept)) if impressions is not None else None,
        columns=columns,
        actions=attributed_actions,
        owners=owners,
        kinds=Counter({kind["values"].decode(): kind["counts"] for kind in kinds}),
        rejected=rejected,
        of_other_days=int(np.count_nonzero(np.where(belongs, ~of_kept, ~in_partition))),
    )


def label_joined(
    impressions: pa.Table,
    columns: Mapping[str, list[Any]],
    read_values: ValuesReader,
    files: Sequence[str],
) -> tuple[pa.Table, list[RejectedLine]]:
    """Label joined impressions like rows of exposures.

    Args:
        impressions: joined impressions (see `event_rows`).
        columns: the folded columns of their actions (see `joined`).
        read_values: reads the fields and labels that need these columns.
        files: the names of the files of impressions.

    Returns:
        the usable rows (see `labelled_rows`), and the rejected lines.
    """
    problems: Problems = {}
    rows = impressions.drop_columns(
        [name for name in EVENT_COLUMNS if name in impressions.column_names]
    )
    for name, values in values_of_joined(impressions, columns, read_values, problems).items():
        rows = rows.append_column(name, values)
    reasons, details = impressions.column("problem_reason"), impressions.column("problem_detail")
    for position in np.flatnonzero(reasons.is_valid()).tolist():
        problems[position] = UnusableLineError(
            Reason(reasons[position].as_py()), details[position].as_py()
        )
    usable = np.ones(rows.num_rows, bool)
    usable[list(problems)] = False
    rejected = [
        _rejected_event(
            impressions, position, files, problems[position].reason, problems[position].detail
        )
        for position in sorted(problems)
    ]
    return rows.filter(pa.array(usable)), rejected


def values_of_joined(
    impressions: pa.Table,
    columns: Mapping[str, list[Any]],
    read_values: ValuesReader,
    problems: Problems,
) -> dict[str, pa.Array]:
    """Return the fields and labels of joined impressions that need actions.

    Arguments are as of `label_joined`; problems of unusable impressions are noted.
    """
    needed = dict(columns)
    if read_values.columns:
        carried = from_json(impressions.column("carried").to_pylist())
        by_column = zip(*carried, strict=True) if carried else ([] for _ in read_values.columns)
        needed |= {
            column: list(values)
            for column, values in zip(read_values.columns, by_column, strict=True)
        }
    return read_values(_Folded(needed), problems)


class _Folded:
    """Columns of joined impressions."""

    def __init__(self, columns: Mapping[str, list[Any]]) -> None:
        self._columns = columns

    def column(self, name: str) -> list[Any]:
        return self._columns[name]


def _latest_before(
    impressions: pa.Table | None, actions: pa.Table
) -> tuple[np.ndarray, np.ndarray]:
    """Find for each action the latest impression of its key that is not after it.

    Returns:
        the position of the impression, or -1; and whether any impression has the key of the action.
    """
    if impressions is None or not impressions.num_rows:
        return np.full(actions.num_rows, -1), np.zeros(actions.num_rows, bool)
    names = ("join_key", EVENT_TIME, "digest_high", "digest_low")
    keys, shown_us, high, low = (impressions.column(name).combine_chunks() for name in names)
    different = pc.unique(keys)
    key_of_impression = pc.index_in(keys, value_set=different).to_numpy()
    key = pc.fill_null(
        pc.index_in(actions.column("join_key").combine_chunks(), value_set=different), -1
    ).to_numpy()
    # Of several impressions at one time, the one with the last digest counts as the latest.
    order = np.lexsort((low, high, shown_us, key_of_impression))
    # Key and time as one number, which can be searched: times by their rank, with room for actions
    # before the first impression.
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


def folded(rule: FoldedColumn, actions: pa.Table, owners: np.ndarray, count: int) -> list[Any]:
    """Fold actions into the values of a column, one an impression.

    Args:
        rule: the rule of the column.
        actions: N attributed actions.
        owners: (N,), the number of each action's impression.
        count: the number of impressions.
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
        "in_partition": pa.bool_(),
    }
    columns |= {
        f"{VALUE}{rule.value}": pa.float64()
        for rule in rules.folds.values()
        if rule.value is not None
    }
    return pa.schema(list(columns.items())).empty_table()


def _rejected_event(
    events: pa.Table, position: int, files: Sequence[str], reason: Reason, detail: str
) -> RejectedLine:
    """Return the line of the event at a position as a rejected line."""
    file, line, raw = (events.column(name)[position].as_py() for name in ("file", "line", "raw"))
    return RejectedLine(files[file], line, reason, detail, raw)
