"""The log once more through a store, in the order of time: are its fields those of the examples?"""

from __future__ import annotations

import collections
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from feature_spec.fields.field import NumericField
from feature_spec.histories.history_values import cutoff_us
from feature_spec.logs.log_values import UnusableLineError
from feature_spec.names import EVENT_TIME, ITEM_KEY, REQUEST_KEY, USER_KEY
from feature_spec.spec import FeatureSpec
from serving.histories.history_event import HistoryEvent
from serving.histories.keyed_store import KeyedHistoryStore
from serving.histories.store import HistoryStoreError, HistoryValues, RecordCounts

_KEYS = {"request": REQUEST_KEY, "user": USER_KEY, "item": ITEM_KEY}
_SHOWN_DIFFERENCES = 20
# An exposure: its time, then its keys.
Place = tuple[int, tuple[bytes, ...]]
# The fields of the histories by name: a float32 as bytes, or texts; a missing one is left out.
Fields = dict[str, Any]


@dataclass(kw_only=True)
class ReplayResult:
    """What a replay found.

    Attributes:
        recorded: what became of the events.
        examples: the examples to compare with.
        compared: the examples whose exposures were among the events.
        equal: those of them with the same fields, bit for bit.
        differences: the first differences, in words.
        fields: the fields that differed, with the number of exposures.
    """

    recorded: RecordCounts
    examples: int
    compared: int = 0
    equal: int = 0
    differences: list[str] = field(default_factory=list)
    fields: collections.Counter[str] = field(default_factory=collections.Counter)

    @property
    def agrees(self) -> bool:
        """Whether all examples were found, and equal."""
        return self.equal == self.compared == self.examples


def fields_of_examples(spec: FeatureSpec, files: Sequence[str | Path]) -> dict[Place, list[Fields]]:
    """Return the fields of histories of tf.Examples, by their exposures.

    Args:
        spec: the spec of the examples.
        files: gzipped TFRecords of tf.Examples.
    """
    import tensorflow as tf

    names = [name for name, part in spec.fields.items() if part.history is not None]
    keys = [name for key, name in _KEYS.items() if getattr(spec.keys, key) is not None]
    found: dict[Place, list[Fields]] = collections.defaultdict(list)
    records = tf.data.TFRecordDataset([str(file) for file in files], compression_type="GZIP")
    for record in records.as_numpy_iterator():
        features = tf.train.Example.FromString(record).features.feature
        place = (
            features[EVENT_TIME].int64_list.value[0],
            tuple(features[key].bytes_list.value[0] for key in keys),
        )
        fields: Fields = {}
        for name in names:
            if name not in features:
                continue
            if isinstance(spec.fields[name], NumericField):
                fields[name] = np.float32(features[name].float_list.value[0]).tobytes()
            elif features[name].bytes_list.value:
                fields[name] = list(features[name].bytes_list.value)
        found[place].append(fields)
    return dict(found)


def replay(
    store: KeyedHistoryStore,
    events: Iterable[HistoryEvent],
    examples: Mapping[Place, list[Fields]],
) -> ReplayResult:
    """Ask a store for the histories of each exposure at its time, then record it.

    Events are recorded just before the first exposure that may see them, so the store never knows
    what comes later.

    Args:
        store: a store without the events.
        events: the events of the log, in any order.
        examples: the fields of examples by exposure.
    """
    result = ReplayResult(recorded=RecordCounts(), examples=sum(map(len, examples.values())))
    store.begin()
    timeline = _timeline(store, events, result.recorded)
    known = collections.deque(sorted(timeline, key=lambda each: each.known_us))
    answers: dict[Place, list[Fields]] = collections.defaultdict(list)
    shown = sorted(
        (each for each in timeline if each.place in examples), key=lambda each: each.place[0]
    )
    spec = store.spec
    assert spec.histories is not None and spec.keys.event_time is not None  # noqa: S101, PT018
    times_us = np.array([each.place[0] for each in shown], np.int64)
    cutoffs = cutoff_us(spec.histories, times_us, spec.keys.event_time.timezone)
    for each, cutoff in zip(shown, cutoffs.tolist(), strict=True):
        if known and known[0].known_us < cutoff:
            due = []
            while known and known[0].known_us <= each.place[0]:
                due.append(known.popleft().event)
            result.recorded.add(store.record_all(due))
        answers[each.place].append(_fields(store, each))
    result.recorded.add(store.record_all(each.event for each in known))
    for place, expected in examples.items():
        _compare(place, expected, answers.get(place, []), result)
    return result


@dataclass(frozen=True)
class _Line:
    event: HistoryEvent
    known_us: int
    place: Place
    texts: Mapping[str, Any]


def _timeline(
    store: KeyedHistoryStore, events: Iterable[HistoryEvent], counts: RecordCounts
) -> list[_Line]:
    reader, lines, identities = store.reader, [], set[bytes]()
    keys = [column for key in _KEYS if (column := getattr(store.spec.keys, key)) is not None]
    for line in events:
        try:
            identity, event = reader.identity(line), reader.slim(line)
            if reader.kind(event) == "action":
                time_us = reader.action_time_us(event)
                lines.append(_Line(event, time_us, (time_us, ()), {}))
                continue
            time_us = reader.shown_us(event)
            known_us = time_us
            if reader.kind(event) == "exposure":
                known_us = reader.exposure(event).moments[0].known_us
            of_keys = tuple(reader.text(column, event) or b"" for column in keys)
            # A repeated line is no exposure of its own.
            place = (time_us, () if identity in identities else of_keys)
            identities.add(identity)
            lines.append(_Line(event, known_us, place, reader.texts(event)))
        except UnusableLineError as error:
            counts.reject(error)
    return lines


def _fields(store: KeyedHistoryStore, line: _Line) -> Fields:
    sides: dict[str, dict[str, Any]] = {"user": {}, "context": {}, "item": {}}
    for name, text in line.texts.items():
        sides[store.spec.fields[name].side][name] = None if text is None else text.decode()
    values = store.features(sides["user"], sides["context"], [sides["item"]], line.place[0])
    return _comparable(values)


def _comparable(values: HistoryValues) -> Fields:
    fields: Fields = {}
    for name, value in {**values.user, **values.context, **values.candidate(0)}.items():
        if isinstance(value, list):
            if value:
                fields[name] = [text.encode() for text in value]
        elif value is not None:
            fields[name] = np.float32(value).tobytes()
    return fields


def _compare(
    place: Place, expected: list[Fields], answers: list[Fields], result: ReplayResult
) -> None:
    """Compare the examples of one exposure with the answers, in whichever order agrees."""
    remaining = list(answers)
    for fields in expected:
        if not remaining:
            return
        result.compared += 1
        if fields in remaining:
            remaining.remove(fields)
            result.equal += 1
            continue
        other = remaining.pop(0)
        names = sorted(
            name for name in fields.keys() | other.keys() if fields.get(name) != other.get(name)
        )
        result.fields.update(names)
        for name in names:
            if len(result.differences) < _SHOWN_DIFFERENCES:
                result.differences.append(
                    f"{place[0]} µs, {b' '.join(place[1]).decode()}: {name}: the example has "
                    f"{_shown(fields.get(name))}, the store {_shown(other.get(name))}"
                )


def _shown(value: Any) -> str:
    if isinstance(value, bytes):
        return str(np.frombuffer(value, np.float32)[0])
    return "none" if value is None else b" ".join(value).decode()


def example_files(folder: Path) -> list[Path]:
    """Return the files of examples in a folder or below it.

    Raises:
        HistoryStoreError: there are none.
    """
    files = sorted(folder.rglob("*.gz"))
    if not files:
        raise HistoryStoreError(f"{folder}: holds no examples: there are no files *.gz in it")
    return files
