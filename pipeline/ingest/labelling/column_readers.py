"""Whole columns of a log as Arrow and NumPy arrays, to the effect of `conversion` value by value.

What few distinct values decide is read once a value and remembered; numbers are read by NumPy, and
those that it finds suspicious once more, one by one.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Iterable
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.ingest.accounting.rejection import UnusableLineError
from pipeline.ingest.labelling.scalar_readers import (
    LARGEST_FLOAT32,
    event_reader,
    list_reader,
    number_reader,
    text_reader,
)
from pipeline.ingest.sources.rows import Problems

_REMEMBERED_VALUES = 1 << 16
_HASHABLE = frozenset({str, int, float, bool, type(None)})
_NONE = type(None)
_NO_TEXT = pa.scalar(None, pa.string())


class ValueReader:
    """Reads a column value by value, a repeated value once.

    Args:
        read: reads one value; raises UnusableLineError.
    """

    def __init__(self, read: Callable[[Any], Any]) -> None:
        self._read = read
        # By type, because 1, 1.0 and true are equal.
        self._remembered: dict[type, _Remembered] = {}

    def __call__(self, values: Collection[Any], problems: Problems) -> list[Any]:
        """One result a value. An unusable one gives None, and its position and problem are noted."""
        kinds = set(map(type, values))
        others = kinds - {_NONE}
        if len(others) <= 1 and kinds <= _HASHABLE:
            (kind,) = others or {_NONE}
            remembered = self._remembered.setdefault(kind, _Remembered(self._read))
            results = list(map(remembered.__getitem__, values))
            if not remembered.has_problems:
                return results
        else:
            results = [_result_or_problem(self._read, value) for value in values]
        for position, result in enumerate(results):
            if isinstance(result, UnusableLineError):
                problems.setdefault(position, result)
                results[position] = None
        return results


class TextReader:
    """Reads keys and categories: an array of binaries, null where missing."""

    def __init__(self, column: str, missing: Collection[str]) -> None:
        self._read = ValueReader(text_reader(column, missing))
        self._missing = pa.array([*missing, ""], pa.string())

    def __call__(self, values: Collection[Any], problems: Problems) -> pa.Array:
        """The texts; notes the positions and problems of unusable ones, as all readers do."""
        try:
            texts = pa.array(values, pa.string())
        except (TypeError, ValueError):  # other than texts, or half of a surrogate pair
            return pa.array(self._read(values, problems), pa.binary())
        missing = pc.is_in(texts, value_set=self._missing)
        if missing.true_count:
            texts = pc.if_else(missing, _NO_TEXT, texts)
        return texts.cast(pa.binary())


class ListReader:
    """Reads lists: an array of lists of binaries, null where missing or empty."""

    def __init__(self, column: str, separator: str, missing: Collection[str]) -> None:
        self._read = ValueReader(list_reader(column, separator, missing))
        self._read_elements = TextReader(column, missing)

    def __call__(self, values: Collection[Any], problems: Problems) -> pa.Array:
        """The lists."""
        kind = pa.list_(pa.binary())
        if not set(map(type, values)) <= {list, _NONE}:
            return pa.array(self._read(values, problems), kind)
        lists = [value or () for value in values]
        no_problems: Problems = {}
        elements = self._read_elements(list(itertools.chain.from_iterable(lists)), no_problems)
        if elements.null_count:
            return pa.array(self._read(values, problems), kind)
        lengths = np.fromiter(map(len, lists), np.int32, len(lists))
        offsets = np.concatenate([np.zeros(1, np.int32), np.cumsum(lengths, dtype=np.int32)])
        empty = pa.array(lengths == 0)
        return pa.ListArray.from_arrays(pa.array(offsets), elements, mask=empty)


class NumberReader:
    """Reads finite numbers within bounds: an array of float64, NaN where missing."""

    def __init__(
        self,
        column: str,
        missing: Collection[str],
        minimum: float | None = None,
        maximum: float | None = None,
    ) -> None:
        self._read_one = number_reader(column, missing, minimum, maximum)
        self._read = ValueReader(self._read_one)
        self._numbers_may_be_missing = any(map(_is_number, missing))
        self._least = -LARGEST_FLOAT32 if minimum is None else max(minimum, -LARGEST_FLOAT32)
        self._most = LARGEST_FLOAT32 if maximum is None else min(maximum, LARGEST_FLOAT32)

    def __call__(self, values: Collection[Any], problems: Problems) -> np.ndarray:
        """The numbers."""
        try:
            numbers = _as_numbers(values, with_texts=not self._numbers_may_be_missing)
        except (TypeError, ValueError, OverflowError):
            return np.array(self._read(values, problems), np.float64)
        if not isinstance(values, list):
            values = list(values)
        for position in np.flatnonzero(
            ~((numbers >= self._least) & (numbers <= self._most))
        ).tolist():
            if values[position] is not None:
                result = _result_or_problem(self._read_one, values[position])
                if isinstance(result, UnusableLineError):
                    problems.setdefault(position, result)
                    result = None
                numbers[position] = np.nan if result is None else result
        return numbers


class EventReader:
    """Reads whether events happened: an array of truth values."""

    def __init__(
        self, column: str, equals: Collection[str] | None, missing: Collection[str]
    ) -> None:
        self._read = ValueReader(event_reader(column, equals, missing))

    def __call__(self, values: Collection[Any], problems: Problems) -> np.ndarray:
        """Whether they happened."""
        return np.array(self._read(values, problems), bool)


class _Remembered(dict[Any, Any]):
    """Results, or problems, by value; read where they are not known."""

    def __init__(self, read: Callable[[Any], Any]) -> None:
        super().__init__()
        self._read = read
        self.has_problems = False

    def __missing__(self, value: Any) -> Any:
        result = _result_or_problem(self._read, value)
        self.has_problems |= isinstance(result, UnusableLineError)
        if len(self) >= _REMEMBERED_VALUES:
            self.clear()
        self[value] = result
        return result


def _result_or_problem(read: Callable[[Any], Any], value: Any) -> Any:
    try:
        return read(value)
    except UnusableLineError as problem:
        return problem.with_traceback(None)  # which would keep the batch in memory


def _as_numbers(values: Iterable[Any], with_texts: bool) -> np.ndarray:
    """The values as float64, NaN for None.

    Raises:
        TypeError, ValueError, OverflowError: one of them is not simply a number.
    """
    kinds = set(map(type, values))
    if kinds == {str} and with_texts:
        values = list(map(float, values))
    elif not kinds <= {float, int, _NONE}:
        raise TypeError(kinds)
    return np.array(values, np.float64)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
