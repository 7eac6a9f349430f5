"""The past that candidates attend to: weights by place, by what is alike, and of some examples."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from feature_spec.artifacts.inspection import (
    AlikeWeight,
    AttendedEntry,
    AttendedExample,
    AttendedLists,
    HistoryAttention,
    PlaceWeight,
)

# The last places of the groups that weights are averaged over.
_LAST_PLACES = (1, 2, 5, 10, 20, 50, 100, 200, 500)
_EXAMPLES, _ENTRIES = 3, 5

# Raw values by column: bytes (B, T), with b"" where missing.
Texts = Mapping[str, npt.NDArray[np.object_]]


class AttentionStatistics:
    """Collects the weights of a history's entries, batch by batch.

    Args:
        lists: the lists of the history.
    """

    def __init__(self, lists: AttendedLists) -> None:
        self._lists = lists
        self._rows = self._empty = 0
        self._sums = np.zeros(0)
        self._counts = np.zeros(0, np.int64)
        # Sum and number of weights, of entries that are alike and of others, by list.
        self._alike = {name: np.zeros((2, 2)) for name in lists.values}
        self._examples: list[AttendedExample] = []

    def add(self, weights: npt.NDArray[np.float32], texts: Texts) -> None:
        """Add a batch.

        Args:
            weights: the weights of the entries, (B, L).
            texts: the values of the lists, and of the fields that they share.
        """
        rows, length = weights.shape
        lists = {name: _padded(texts[name], length) for name in self._columns}
        present = np.any([values != b"" for values in lists.values()], axis=0)
        if not len(self._sums):
            self._sums, self._counts = np.zeros(length), np.zeros(length, np.int64)
        self._rows += rows
        self._empty += int((~present.any(axis=1)).sum())
        self._sums += np.where(present, weights, 0.0).sum(axis=0)
        self._counts += present.sum(axis=0)
        for name, field in self._lists.values.items():
            past, own = lists[name], texts[field]
            alike = (past != b"") & np.any(
                [past == own[:, [place]] for place in range(own.shape[1])], axis=0
            )
            for kind, where in enumerate((alike, present & ~alike)):
                self._alike[name][kind] += weights[where].sum(dtype=np.float64), where.sum()
        several = np.flatnonzero(present.sum(axis=1) > 1)
        for row in several[: _EXAMPLES - len(self._examples)].tolist():
            self._examples.append(self._example(row, weights[row], present[row], lists, texts))

    @property
    def _columns(self) -> list[str]:
        return [*self._lists.values, *self._lists.marks]

    def _example(
        self,
        row: int,
        weights: npt.NDArray[np.float32],
        present: npt.NDArray[np.bool_],
        lists: Texts,
        texts: Texts,
    ) -> AttendedExample:
        heaviest = np.argsort(-np.abs(np.where(present, weights, 0.0)), kind="stable")[:_ENTRIES]
        return AttendedExample(
            candidate={
                field: ", ".join(_text(value) for value in texts[field][row] if value)
                for field in self._lists.values.values()
            },
            length=int(present.sum()),
            entries=[
                AttendedEntry(
                    weight=float(weights[place]),
                    values={name: _text(values[row, place]) for name, values in lists.items()},
                )
                for place in heaviest.tolist()
                if present[place]
            ],
        )

    def result(self) -> HistoryAttention:
        """Return what was found in all batches."""
        length = len(self._sums)
        ends = [*(last for last in _LAST_PLACES if last < length), length]
        places = []
        for first, last in itertools.pairwise([0, *ends]):
            entries = int(self._counts[first:last].sum())
            if entries:
                mean = float(self._sums[first:last].sum()) / entries
                places.append(PlaceWeight(first=first + 1, last=last, entries=entries, mean=mean))
        return HistoryAttention(
            history=self._lists.history,
            pooling=self._lists.pooling,
            empty_share=self._empty / max(self._rows, 1),
            places=places,
            alike=[
                AlikeWeight(
                    field=field,
                    entries=int(self._alike[name][0, 1]),
                    mean=_mean(self._alike[name][0]),
                    mean_of_others=_mean(self._alike[name][1]),
                )
                for name, field in self._lists.values.items()
            ],
            examples=self._examples,
        )


def columns_of(lists: Sequence[AttendedLists]) -> list[str]:
    """Return the fields whose raw values `AttentionStatistics` reads."""
    columns = [[*one.values, *one.values.values(), *one.marks] for one in lists]
    return list(dict.fromkeys(itertools.chain.from_iterable(columns)))


def _padded(texts: npt.NDArray[np.object_], length: int) -> npt.NDArray[np.object_]:
    """Cut lists to a length, or fill them up with missing values."""
    cut = texts[:, :length]
    more = np.full((len(cut), length - cut.shape[1]), b"", object)
    return np.concatenate([cut, more], axis=1)


def _mean(sum_and_count: npt.NDArray[np.float64]) -> float:
    total, count = sum_and_count.tolist()
    return total / count if count else 0.0


def _text(value: bytes) -> str:
    return value.decode("utf-8", "replace")
