"""What exposures add to a store: rows of counts, and entries of sequences."""

from __future__ import annotations

import collections
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from feature_spec.histories.histories import Histories
from feature_spec.histories.history_values import (
    feedback_token,
    label_units,
    step_begin_us,
    window_step_s,
)
from feature_spec.spec import FeatureSpec
from serving.histories import layout, sequence_entries
from serving.histories.layout import StoredCount, StoredSequence
from serving.histories.reading.event_reader import Exposure
from serving.histories.sequence_entries import Entry


class Changes:
    """Changes of keys, without the prefixes of their generation.

    Attributes:
        rows: the changes of counts by number of the count, key and time.
        entries: the new entries of sequences by key, with their number.
    """

    def __init__(self) -> None:
        self.rows: dict[tuple[bytes, int], np.ndarray] = {}
        self.entries: collections.Counter[tuple[bytes, Entry]] = collections.Counter()

    def add(self, key: bytes, time_us: int, change: np.ndarray) -> None:
        """Add a change of a count, int64 (width - 1,)."""
        place = (key, time_us)
        self.rows[place] = self.rows[place] + change if place in self.rows else change

    def add_all(self, other: Changes) -> None:
        """Add other changes."""
        for (key, time_us), change in other.rows.items():
            self.add(key, time_us, change)
        for entry, number in other.entries.items():
            self.entries[entry] += number

    def minus(self, other: Changes) -> Changes:
        """Return what leads from the other changes to these."""
        result = Changes()
        result.add_all(self)
        for (key, time_us), change in other.rows.items():
            result.add(key, time_us, -change)
        result.entries.subtract(other.entries)
        return result

    def encoded_rows(self, counts: Sequence[StoredCount]) -> dict[bytes, bytes]:
        """Return the rows to append by key, given the counts by their numbers."""
        rows: collections.defaultdict[bytes, bytes] = collections.defaultdict(bytes)
        for (key, time_us), change in self.rows.items():
            if np.any(change):
                number = key[len(layout.COUNT)]
                row = np.concatenate([[time_us], change])[None]
                rows[key] += counts[number].codec.encoded(row)
        return dict(rows)

    def encoded_entries(self) -> tuple[dict[bytes, bytes], dict[bytes, list[Entry]]]:
        """Return the entries to append by key, and those to remove."""
        added: collections.defaultdict[bytes, bytes] = collections.defaultdict(bytes)
        removed: collections.defaultdict[bytes, list[Entry]] = collections.defaultdict(list)
        for (key, entry), number in self.entries.items():
            added[key] += sequence_entries.encoded(entry) * max(number, 0)
            removed[key] += [entry] * max(-number, 0)
        return (
            {key: value for key, value in added.items() if value},
            {key: entries for key, entries in removed.items() if entries},
        )


class ChangesOfExposures:
    """Makes changes of exposures.

    Args:
        spec: a spec with histories.
    """

    def __init__(self, spec: FeatureSpec) -> None:
        assert spec.histories is not None  # noqa: S101 (who has a store has histories)
        self._histories: Histories = spec.histories
        self._timezone = spec.keys.event_time.timezone if spec.keys.event_time else "UTC"
        self._binary = {name for name, task in spec.tasks.items() if task.kind == "binary"}
        self.counts = layout.stored_counts(spec)
        self.sequences = layout.stored_sequences(spec)

    def __call__(self, exposures: Iterable[Exposure]) -> Changes:
        """Return what exposures add."""
        changes = Changes()
        for exposure in exposures:
            texts = dict(exposure.texts)
            for count in self.counts:
                key = layout.key_of(count, texts)
                if key is not None:
                    self._add_count(changes, count, key, exposure)
            for sequence in self.sequences:
                key = layout.key_of(sequence, texts)
                if key is not None:
                    self._add_entry(changes, sequence, key, exposure)
        return changes

    def _add_count(
        self, changes: Changes, count: StoredCount, key: bytes, exposure: Exposure
    ) -> None:
        before = np.zeros(count.width - 1, np.int64)
        for moment in exposure.moments:
            now = _numbers(count, moment.labels)
            changes.add(
                layout.COUNT + key,
                int(self.row_times_us(count, np.array([moment.known_us]))[0]),
                now - before,
            )
            before = now

    def row_times_us(self, count: StoredCount, known_us: np.ndarray) -> np.ndarray:
        """Return the first times that no cutoff and no window can tell from others, (N,)."""
        begins_us = step_begin_us(self._histories, known_us, self._timezone)
        if count.windows_s:
            step_us = window_step_s(min(count.windows_s)) * 1_000_000
            begins_us = np.maximum(begins_us, known_us // step_us * step_us)
        return begins_us

    def _add_entry(
        self, changes: Changes, sequence: StoredSequence, key: bytes, exposure: Exposure
    ) -> None:
        for moment in exposure.moments:
            if sequence.name in moment.happened:
                texts = [exposure.texts[name] or b"" for name in sequence.fields]
                if sequence.texts > len(texts):
                    positive = [task for task in sequence.feedback if moment.labels[task] > 0.0]
                    texts.append(feedback_token(positive))
                entry = Entry(moment.known_us, exposure.time_us, tuple(texts))
                changes.entries[layout.SEQUENCE + key, entry] += 1
                break


def _numbers(count: StoredCount, labels: Mapping[str, float]) -> np.ndarray:
    """Return what an exposure with some labels counts, int64 (width - 1,)."""
    of_tasks = np.array([labels[task] for task in count.tasks], np.float64)
    seen = [labels[task] == labels[task] for task in count.with_seen]
    return np.concatenate(
        [np.ones(1, np.int64), np.array(seen, np.int64), label_units(of_tasks)]
    ).astype(np.int64)
