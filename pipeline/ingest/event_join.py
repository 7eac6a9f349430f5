"""Impressions with what their actions come to: duplicates dropped, actions attributed, folded into columns."""

from __future__ import annotations

import bisect
import math
import pickle
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from feature_spec.event_logs import Actions, FoldedColumn
from pipeline.ingest.event_rows import VALUE
from pipeline.ingest.labelled_rows import RowLabeller
from pipeline.ingest.parsing import Record
from pipeline.ingest.rejection import Reason, RejectedLine
from pipeline.ingest.rows import DIGEST_BYTES, JoinedRows

_MICROSECONDS = 1_000_000


class Deduplicated(NamedTuple):
    """Events that differ, and the lines of those that others repeat."""

    events: pa.Table
    rejected: list[RejectedLine]


class Joined(NamedTuple):
    """What became of some impressions and their actions.

    Attributes:
        records: the impressions in order, each with the folded columns.
        kinds: how many actions of each kind were attributed.
        rejected: actions that were not.
    """

    records: list[Record]
    kinds: Counter[str]
    rejected: list[RejectedLine]


def deduplicated(events: pa.Table, files: Sequence[str]) -> Deduplicated:
    """Keeps one of the lines of each event: the earliest; of several of one time, that of the smallest digest.

    Which one stays, but for its place in the files, thus depends on no order of files and lines. What is left is in the order
    of the digests.

    Args:
        events: all lines of some events (see `event_rows`).
        files: names of the files.
    """
    columns = ("time_us", "draw", "place", "file", "line")
    time, draw, place, file, line = (events.column(name).to_numpy() for name in columns)
    identity = events.column("identity").to_pylist()
    first: dict[bytes, int] = {}
    kept = np.zeros(events.num_rows, bool)
    rejected = []
    order = np.lexsort((line, file, place, draw, time))
    for position in order.tolist():
        earlier = first.setdefault(identity[position], position)
        if earlier == position:
            kept[position] = True
        else:
            detail = f"the same event as {files[file[earlier]]}, line {line[earlier]}"
            rejected.append(_rejected(events, position, files, Reason.DUPLICATE, detail))
    order = np.lexsort((place, draw))
    return Deduplicated(events.take(pa.array(order[kept[order]])), rejected)


def joined(impressions: pa.Table | None, actions: pa.Table | None, rules: Actions, files: Sequence[str]) -> Joined:
    """Attributes actions to impressions of one request, or user, and item.

    An action belongs to the latest of these impressions that is not after it. If that is more than `rules.window_s` before the
    action, the action is late; if there is none, it is an orphan.

    Args:
        impressions: all with some join keys (see `event_rows`), without duplicates; None if there are none.
        actions: all with these join keys, without duplicates; None if there are none.
        rules: of the actions.
        files: names of the actions' files.
    """
    shown: defaultdict[bytes, list[tuple[int, int, int, int]]] = defaultdict(list)
    for position, (key, time_us, draw, place) in enumerate(_rows(impressions, "join_key", "time_us", "draw", "place")):
        shown[key].append((time_us, draw, place, position))
    for of_key in shown.values():
        of_key.sort()  # of several at one time, the last digest counts as the latest
    attributed: defaultdict[int, list[int]] = defaultdict(list)
    rejected = []
    if actions is not None:
        window_us = round(rules.window_s * _MICROSECONDS)
        for number, (key, time_us) in enumerate(_rows(actions, "join_key", "time_us")):
            of_key = shown.get(key, [])
            before = bisect.bisect_right(of_key, time_us, key=lambda impression: impression[0])
            if not before:
                where = f"before the first impression of this {rules.join_by} and item" if of_key else "without an impression"
                rejected.append(_rejected(actions, number, files, Reason.ORPHAN_ACTION, where))
                continue
            after_us = time_us - of_key[before - 1][0]
            if after_us > window_us:
                detail = f"{after_us / _MICROSECONDS:,.0f} s after its impression, more than window_s {rules.window_s:,g}"
                rejected.append(_rejected(actions, number, files, Reason.LATE_ACTION, detail))
            else:
                attributed[of_key[before - 1][3]].append(number)
    records = [pickle.loads(record) for (record,) in _rows(impressions, "record")]  # noqa: S301 (our own bytes)
    folds = {column: _folding(rule, actions) for column, rule in rules.folds.items()}
    for position, record in enumerate(records):
        numbers = attributed.get(position, [])
        for column, fold in folds.items():
            record[column] = fold(numbers)
    return Joined(records, _kinds(actions, attributed), rejected)


def label_joined(
    impressions: pa.Table, records: list[Record], labeller: RowLabeller, files: Sequence[str]
) -> tuple[pa.Table, list[RejectedLine]]:
    """Reads joined impressions as the labeller reads exposures; arguments and results as of `joined` and `RowLabeller`."""
    columns = [impressions.column(name).to_numpy() for name in ("draw", "place")]
    content = np.stack(columns, axis=1).astype(">u8").tobytes()
    digests = [content[at : at + DIGEST_BYTES] for at in range(0, len(content), DIGEST_BYTES)]
    lines, raws, file = (impressions.column(name).to_pylist() for name in ("line", "raw", "file"))
    rows, rejected = labeller(JoinedRows(records, digests), "", 0, list(range(len(records))), raws)
    # The labeller takes rows of one file, and here each has its own: positions stand for lines meanwhile.
    position = rows.column("line")
    for name in ("file", "line"):
        rows = rows.set_column(rows.column_names.index(name), name, impressions.column(name).take(position))
    return rows, [replace(entry, source=files[file[entry.offset]], offset=lines[entry.offset]) for entry in rejected]


def _folding(rule: FoldedColumn, actions: pa.Table | None) -> Callable[[list[int]], Any]:
    """The function from the numbers of an impression's actions to the value of a column."""
    kind = rule.action.encode()
    kinds = actions.column("kind").to_pylist() if actions is not None else []
    if rule.fold in ("any", "count"):
        largest = 1 if rule.fold == "any" else None

        def count(numbers: list[int]) -> int:
            happened = sum(kinds[number] == kind for number in numbers)
            return happened if largest is None else min(happened, largest)

        return count
    values = actions.column(f"{VALUE}{rule.value}").to_pylist() if actions is not None else []

    def of_kind(numbers: list[int]) -> list[float]:
        return [values[number] for number in numbers if kinds[number] == kind and values[number] is not None]

    if rule.fold == "sum":
        return lambda numbers: math.fsum(of_kind(numbers))  # the same in any order
    return lambda numbers: max(of_kind(numbers), default=None)


def _rows(events: pa.Table | None, *columns: str) -> Iterator[tuple[Any, ...]]:
    if events is None:
        return iter(())
    return zip(*(events.column(name).to_pylist() for name in columns), strict=True)


def _kinds(actions: pa.Table | None, attributed: dict[int, list[int]]) -> Counter[str]:
    if actions is None:
        return Counter()
    kinds = actions.column("kind").to_pylist()
    return Counter(kinds[number].decode() for numbers in attributed.values() for number in numbers)


def _rejected(events: pa.Table, position: int, files: Sequence[str], reason: Reason, detail: str) -> RejectedLine:
    file, line, raw = (events.column(name)[position].as_py() for name in ("file", "line", "raw"))
    return RejectedLine(files[file], line, reason, detail, raw)
