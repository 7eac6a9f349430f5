"""What a store keeps for each history of a spec, and under which keys.

| key | value |
|---|---|
| `m` | the store's description, as JSON |
| `f` | how far a stream was read, as JSON; of no generation |
| `n`, generation | time of the newest event |
| `c`, generation, number of the count, key | rows (`count_rows`) |
| `s`, generation, number of the sequence, key | entries (`sequence_entries`) |
| `d`, generation, id | whether an event was recorded |
| `e`, generation, time, id | the event, as JSON, until it is forgotten |
| `j`, generation, join key | impressions and their actions, as JSON, until they are forgotten |

Each published state is a generation, so that readers see the old or the new one. Numbers follow the
order of names.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from feature_spec.fields.field import Side
from feature_spec.histories.history_fields import (
    FEEDBACK,
    CountColumns,
    count_columns,
    counted_tasks,
    feedback_tasks,
    has_every_label,
    sequence_columns,
    side_of,
)
from feature_spec.histories.history_values import history_key
from feature_spec.spec import FeatureSpec
from serving.histories.count_rows import RowCodec

META, STREAM = b"m", b"f"
# The rules whose labels are 0 and 1.
_WHOLE_RULES = ("event", "at_least")
NEWEST, COUNT, SEQUENCE, ID, EVENT, JOIN = b"n", b"c", b"s", b"d", b"e", b"j"
# LMDB takes keys of 511 bytes. No text is UTF-8 that begins with these, and no length of a text.
LONGEST_KEY, _HASHED = 400, b"\xff\xff\xff\xff"


@dataclass(frozen=True, kw_only=True)
class StoredCount:
    """A count of the spec.

    Attributes:
        name: its name.
        number: its number in keys.
        by: the fields of its key.
        side: the side of its fields.
        tasks: the tasks whose labels are summed.
        with_seen: the tasks whose exposures with a label are counted.
        whole: whether the labels of each task are 0 and 1.
        columns: the names of its fields, for each window.
    """

    name: str
    number: int
    by: tuple[str, ...]
    side: Side
    tasks: tuple[str, ...]
    with_seen: tuple[str, ...]
    whole: tuple[bool, ...]
    columns: tuple[CountColumns, ...]

    kind: ClassVar[bytes] = COUNT

    @property
    def width(self) -> int:
        """The numbers of a row: its time, then shown, seen by task, sum by task."""
        return 2 + len(self.with_seen) + len(self.tasks)

    @functools.cached_property
    def codec(self) -> RowCodec:
        """The codec of its rows."""
        return RowCodec(1 + len(self.with_seen), self.whole)

    @property
    def windows_s(self) -> list[int]:
        """The windows in seconds; none for the whole past."""
        return [part.window_s for part in self.columns if part.window_s is not None]


@dataclass(frozen=True, kw_only=True)
class StoredSequence:
    """A sequence of the spec.

    Attributes:
        name: its name.
        number: its number in keys.
        by: the fields of its key.
        side: the side of its fields.
        fields: the fields whose values an entry holds.
        feedback: the tasks of its feedback; empty if it has none.
        columns: the names of its lists by part.
        max_length: the number of entries that a request gets.
    """

    name: str
    number: int
    by: tuple[str, ...]
    side: Side
    fields: tuple[str, ...]
    feedback: tuple[str, ...]
    columns: dict[str, str]
    max_length: int

    kind: ClassVar[bytes] = SEQUENCE

    @property
    def texts(self) -> int:
        """The number of texts of an entry."""
        return len(self.fields) + bool(self.feedback)


def stored_counts(spec: FeatureSpec) -> list[StoredCount]:
    """Return the counts of a spec in the order of their names."""
    histories = spec.histories
    counts = histories.counts if histories is not None else {}
    result = []
    for number, name in enumerate(sorted(counts)):
        tasks = tuple(counted_tasks(counts[name], spec.tasks))
        result.append(
            StoredCount(
                name=name,
                number=number,
                by=tuple(counts[name].by),
                side=side_of(counts[name].by, spec.fields),
                tasks=tasks,
                whole=tuple(spec.tasks[task].label.rule in _WHOLE_RULES for task in tasks),
                with_seen=tuple(task for task in tasks if not has_every_label(spec.tasks[task])),
                columns=tuple(count_columns(name, counts[name], spec.tasks)),
            )
        )
    return result


def stored_sequences(spec: FeatureSpec) -> list[StoredSequence]:
    """Return the sequences of a spec in the order of their names."""
    histories = spec.histories
    sequences = histories.sequences if histories is not None else {}
    result = []
    for number, name in enumerate(sorted(sequences)):
        sequence = sequences[name]
        result.append(
            StoredSequence(
                name=name,
                number=number,
                by=tuple(sequence.by),
                side=side_of(sequence.by, spec.fields),
                fields=tuple(sequence.fields),
                # A field of this name keeps it.
                feedback=()
                if FEEDBACK in sequence.fields
                else tuple(feedback_tasks(sequence, spec.tasks)),
                columns=sequence_columns(name, sequence),
                max_length=sequence.max_length,
            )
        )
    return result


def prefix(kind: bytes, generation: int) -> bytes:
    """Return the begin of all keys of a kind in a generation."""
    return kind + generation.to_bytes(4, "big")


def shortened(key: bytes) -> bytes:
    """Return a key, or a hash of it if it is too long for a database."""
    if len(key) <= LONGEST_KEY:
        return key
    return _HASHED + hashlib.blake2b(key, digest_size=32).digest()


def key_of(history: StoredCount | StoredSequence, texts: dict[str, bytes | None]) -> bytes | None:
    """Return the key of texts by field behind the prefix of its kind; None if one is missing."""
    parts: Sequence[bytes] = [text for name in history.by if (text := texts[name]) is not None]
    if len(parts) < len(history.by):
        return None
    return bytes([history.number]) + shortened(history_key(parts))
