"""A small log with histories: computed as ingestion does, and once more row by row."""

from __future__ import annotations

import datetime
import functools
from collections.abc import Callable, Sequence
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import yaml

from feature_spec.loading import parse_spec
from feature_spec.spec import FeatureSpec
from pipeline.ingest.formats.record_batch import RecordRows
from pipeline.ingest.labelling.labelled_rows import FIELD, RowLabeller
from pipeline.ingest.settings.ingest_config import IngestSettings

Row = dict[str, Any]
# A feature's values by its name.
Features = dict[str, Any]

SPEC = """
name: known
keys: {user: user_id, event_time: {column: time_s, unit: s, timezone: Asia/Shanghai}}
logs:
  exposures: {path: "day={day}.jsonl", format: jsonl}
  tables: {users: {path: "users.jsonl", format: jsonl, key: user_id}}
split: {evaluation_days: 1, validation_share: 0.2}
histories:
  known_after_s: 3
  counts:
    user: {by: [user]}
    item: {by: [item], windows_s: [5, 600]}
    city_tag: {by: [city, tags], tasks: [watch, like], windows_s: [90000]}
  sequences:
    clicked: {by: user, where: {event: clicked}, fields: [item, tags], max_length: 3, feedback: [like, click]}
    of_city: {by: [city], fields: [city], max_length: 2, age: false, pooling: mean}
fields:
  user: {side: user, kind: categorical, column: user_id}
  city: {side: user, kind: multi_categorical, table: users}
  item: {side: item, kind: categorical, column: item_id}
  tags: {side: item, kind: multi_categorical}
tasks:
  click: {kind: binary, label: {rule: event, column: clicked}, metric: auc, threshold: 0.5, tolerance: 0.1}
  like:
    kind: binary
    label: {rule: event, column: liked}
    sample_space: {event: clicked}
    metric: auc
    threshold: 0.5
    tolerance: 0.1
  watch: {kind: regression, label: {rule: column, column: play_s}, metric: mse, threshold: 9, tolerance: 0.1}
ranking_formula: {weights: {click: 1.0}}
"""
# Of u3 no row, of u2 no city.
CITIES = {"u0": ["x", "y"], "u1": ["x"], "u2": None}
DAY_S = 86_400
_ZONE = ZoneInfo("Asia/Shanghai")


def spec(**histories: Any) -> FeatureSpec:
    """The spec with some settings of its histories changed; None leaves one out."""
    content = yaml.safe_load(SPEC)
    changed = content["histories"] | histories
    content["histories"] = {name: value for name, value in changed.items() if value is not None}
    return parse_spec(yaml.safe_dump(content))


def row(
    number: int, user: int, item: int | None, time_s: int, clicked: int = 0, **changes: Any
) -> Row:
    """An exposure; the number tells it from others."""
    return {
        "number": number, "user_id": f"u{user}", "item_id": None if item is None else f"i{item}",
        "time_s": time_s, "arrived_s": time_s, "clicked": clicked, "liked": 0, "play_s": None,
        "tags": ["a", "b"] if (item or 0) % 2 else None,
    } | changes  # fmt: skip


def labelled(rows: Sequence[Row], settings: IngestSettings) -> pa.Table:
    """Rows as ingestion labels them, in the order given."""
    table, rejected = RowLabeller(settings)(
        RecordRows(list(rows)), "log", 0, list(range(len(rows))), [b""] * len(rows)
    )
    assert not rejected
    return table


def side_tables() -> dict[str, pa.Table]:
    """The side table as ingestion reads it."""
    keys, cities = zip(*CITIES.items(), strict=True)
    lists = [city and [one.encode() for one in city] for city in cities]
    return {
        "users": pa.table(
            {
                "key": pa.array([key.encode() for key in keys], pa.binary()),
                FIELD + "city": pa.array(lists, pa.list_(pa.binary())),
            }
        )
    }


class Parts:
    """How rows are shared out on their way through Beam.

    Attributes:
        shard_of: returns the shard of a row.
        shards: the number of shards, and of the partitions of keys.
        order: puts the parts of a partition or shard in some order.
    """

    def __init__(
        self,
        shards: int = 3,
        shard_of: Callable[[Row], int] = lambda row: int(row["number"]) % 3,
        order: Callable[[list[Any]], list[Any]] = list,
    ) -> None:
        self.shards, self.shard_of, self.order = shards, shard_of, order


def computed(
    rows: Sequence[Row],
    settings: IngestSettings,
    parts: Parts | None = None,
    state: dict[str, list[pa.Table]] | None = None,
    ranges: int = 0,
) -> list[Features]:
    """The features of each row, as ingestion computes them.

    Args:
        rows: the exposures.
        settings: the spec's rules.
        parts: how rows are shared out.
        state: tables of an earlier state by history.
        ranges: the number of ranges of times that each partition is split into; 0 for none.
    """
    from pipeline.ingest.examples.history_columns import HistoryColumns
    from pipeline.ingest.histories.history_rows import SHARD as SHARD_COLUMN
    from pipeline.ingest.histories.history_rows import HistoryRows, partitions_of
    from pipeline.ingest.histories.state import as_history_rows

    parts = parts or Parts()
    assert settings.histories is not None
    of_shard: list[list[int]] = [[] for _ in range(parts.shards)]
    for position, one in enumerate(rows):
        of_shard[parts.shard_of(one)].append(position)
    tables: dict[tuple[str, int], list[pa.Table]] = {}

    def share_out(name: str, table: pa.Table) -> None:
        if table.num_rows:
            of_key = partitions_of(table.column("key").combine_chunks(), parts.shards)
            for partition in set(of_key.tolist()):
                some = table.filter(pa.array(of_key == partition))
                tables.setdefault((name, partition), []).append(some)

    make = HistoryRows(settings, side_tables())
    in_shards = [labelled([rows[position] for position in some], settings) for some in of_shard]
    for shard, table in enumerate(in_shards):
        for name, history_rows in make(table, np.arange(table.num_rows), shard):
            share_out(name, history_rows)
    for name, stored in (state or {}).items():
        for table in stored:
            share_out(name, as_history_rows(table))
    features: list[list[pa.Table]] = [[] for _ in range(parts.shards)]
    for (name, _), some in tables.items():
        made = _made(name, parts.order(some), settings, ranges)
        for table in made:
            of_table = table.column(SHARD_COLUMN).to_numpy()
            for shard in range(parts.shards):
                features[shard].append(
                    table.filter(pa.array(of_table == shard)).drop_columns([SHARD_COLUMN])
                )
    result: list[Features] = [{} for _ in rows]
    for shard, positions in enumerate(of_shard):
        columns = HistoryColumns(settings, len(positions), parts.order(features[shard]))
        attached = columns.attached(in_shards[shard])
        for position, found in zip(positions, _features(attached, columns, settings), strict=True):
            result[position] = found
    return result


def _made(name: str, some: list[pa.Table], settings: IngestSettings, ranges: int) -> list[pa.Table]:
    """The features of a history's rows."""
    from pipeline.ingest.histories.point_in_time import count_features, sequence_features
    from pipeline.ingest.histories.time_ranges import CountInRanges, SequenceInRanges

    assert settings.histories is not None
    count = settings.histories.counts.get(name)
    sequence = settings.histories.sequences.get(name)
    tables = functools.partial(iter, some)
    rows = pa.concat_tables(some, promote_options="default").combine_chunks()
    if count is not None:
        in_ranges = CountInRanges(name, count, 0, settings).features(tables, ranges)
        return list(in_ranges) if ranges else [count_features(rows, settings.history_columns[name])]
    assert sequence is not None
    if ranges:
        return list(SequenceInRanges(name, sequence, 0).features(tables, ranges))
    return list(sequence_features(name, sequence, rows))


def _features(rows: pa.Table, columns: Any, settings: IngestSettings) -> list[Features]:
    from tensorflow.core.example import feature_pb2

    assert settings.histories is not None
    numbers = [
        name
        for windows in settings.history_columns.values()
        for window in windows
        for name in (window.shown, *window.seen.values(), *window.sums.values())
    ]
    result: list[Features] = []
    for one in rows.to_pylist():
        found = {name: one[FIELD + name] for name in numbers if one[FIELD + name] is not None}
        for name in settings.histories.sequences:
            place = one["sequence." + name]
            if place is not None:
                stored = columns.sequences[name][place].as_py()
                lists = feature_pb2.Features.FromString(stored).feature
                found |= {part: list(lists[part].bytes_list.value) for part in lists}
        result.append(found)
    return result


def expected(rows: Sequence[Row], of: FeatureSpec) -> list[Features]:
    """The features of each row, worked out row by row."""
    return [_expected(one, rows, of) for one in rows]


def _first(values: list[str] | str | None) -> str | None:
    return values[0] if isinstance(values, list) and values else values or None  # type: ignore[return-value]


def _value(one: Row, field: str) -> str | None:
    if field == "city":
        return _first(CITIES.get(one["user_id"]))
    return _first(one[{"user": "user_id", "item": "item_id", "tags": "tags"}[field]])


def _key(one: Row, by: list[str]) -> tuple[str, ...] | None:
    values = [_value(one, field) for field in by]
    return None if None in values else tuple(map(str, values))


def known_s(one: Row, of: FeatureSpec) -> int:
    """When an exposure became known."""
    assert of.histories is not None
    return max(one["time_s"], one["arrived_s"]) if of.histories.arrival_time else one["time_s"]


def cutoff_s(time_s: int, of: FeatureSpec) -> int:
    """The time before which an exposure became known that counts at `time_s`."""
    assert of.histories is not None
    if of.histories.known_after_s is not None:
        return time_s - int(of.histories.known_after_s)  # in steps of a second
    midnight = datetime.datetime.fromtimestamp(time_s, _ZONE).replace(hour=0, minute=0, second=0)
    return int(midnight.timestamp())


def _label(one: Row, task: str) -> float | None:
    if task == "like":
        return float(one["liked"]) if one["clicked"] else None
    return float(one["clicked"]) if task == "click" else one["play_s"]


def _expected(one: Row, rows: Sequence[Row], of: FeatureSpec) -> Features:
    histories = of.histories
    assert histories is not None
    result: Features = {}
    cutoff = cutoff_s(one["time_s"], of)
    for name, count in histories.counts.items():
        key = _key(one, count.by)
        for window in count.windows_s or [None]:
            # The longest window moves in steps of 1024 s, that of 600 s in steps of 8 s.
            step = {None: 1, 5: 1, 600: 8, 90000: 1024}[window]
            begin = (cutoff - window) // step * step if window else -(10**12)
            seen = [
                other
                for other in rows
                if key is not None
                and _key(other, count.by) == key
                and begin <= known_s(other, of) < cutoff
            ]
            if key is None:
                continue
            prefix = name + {None: "", 5: "_5s", 600: "_600s", 90000: "_25h"}[window]
            if window == 600:
                prefix = name + "_600s"
            result[f"{prefix}_shown"] = float(len(seen))
            for task in count.tasks or ["click", "like", "watch"]:
                labels = [label for other in seen if (label := _label(other, task)) is not None]
                result[f"{prefix}_{task}"] = sum(labels)
                if task != "click":
                    result[f"{prefix}_{task}_seen"] = float(len(labels))
    for name, sequence in histories.sequences.items():
        key = _key(one, sequence.by)
        entries = [
            other
            for other in rows
            if key is not None
            and _key(other, sequence.by) == key
            and known_s(other, of) < cutoff
            and (sequence.where is None or other["clicked"])
        ]
        texts = [
            (
                known_s(other, of),
                other["time_s"],
                *[(_value(other, field) or "").encode() for field in sequence.fields],
                b"+".join(
                    task.encode()
                    for task in ("click", "like")
                    if task in sequence.feedback and (_label(other, task) or 0) > 0
                )
                or b"none",
            )
            for other in entries
        ]
        last = sorted(texts, reverse=True)[: sequence.max_length]
        if not last:
            continue
        for position, field in enumerate(sequence.fields):
            result[f"{name}_{field}"] = [entry[2 + position] for entry in last]
        if sequence.age:
            result[f"{name}_age"] = [
                str((one["time_s"] - entry[1]).bit_length()).encode() for entry in last
            ]
        if sequence.feedback:
            result[f"{name}_feedback"] = [entry[-1] for entry in last]
    return result
