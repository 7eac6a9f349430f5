"""Readers of the columns of a log: texts, lists, numbers and events.

`feature_spec.logs.log_values` defines the meaning of one value. A reader here reads a whole column
as an Arrow or NumPy array, to the same effect: Arrow and NumPy read what they can, repeated values
are read once, and suspicious ones once more by themselves.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Iterable
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from feature_spec.fields.values import LARGEST_FLOAT32, NarrowFloat, missing_floats
from feature_spec.logs.log_values import (
    UnusableLineError,
    event_reader,
    list_reader,
    list_weights_reader,
    number_reader,
    text_reader,
    vector_reader,
)
from feature_spec.strict_model import Value
from pipeline.ingest.formats.record_batch import Problems

_REMEMBERED_VALUES = 1 << 16
_NONE = type(None)
_HASHABLE = frozenset({str, int, float, bool, _NONE})
_NO_TEXT = pa.scalar(None, pa.string())


class TextReader:
    """Reads a column of keys or categories as an array of binaries, null where missing."""

    def __init__(self, column: str, missing: Collection[str]) -> None:
        self._read = ValueReader(text_reader(column, missing))
        self._missing = pa.array([*missing, ""], pa.string())

    def __call__(self, values: Collection[Any], problems: Problems) -> pa.Array:
        """Return the texts; like all readers, note positions and problems of unusable values."""
        try:
            texts = pa.array(values, pa.string())
        except (TypeError, ValueError):  # not all texts, or half of a surrogate pair
            return pa.array(self._read(values, problems), pa.binary())
        missing = pc.is_in(texts, value_set=self._missing)
        if missing.true_count:
            texts = pc.if_else(missing, _NO_TEXT, texts)
        return texts.cast(pa.binary())


class ListReader:
    """Reads a column of lists as an array of lists of binaries, null where missing or empty."""

    def __init__(self, column: str, separator: str, missing: Collection[str]) -> None:
        self._read = ValueReader(list_reader(column, separator, missing))
        self._read_elements = TextReader(column, missing)

    def __call__(self, values: Collection[Any], problems: Problems) -> pa.Array:
        """Return the lists."""
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
    """Reads a column of finite numbers within bounds as an array of float64, NaN where missing."""

    def __init__(
        self,
        column: str,
        missing: Collection[str],
        minimum: float | None = None,
        maximum: float | None = None,
    ) -> None:
        self._read_one = number_reader(column, missing, minimum, maximum)
        self._read = ValueReader(self._read_one)
        self._missing = np.array(missing_floats(frozenset(missing)), np.float64)
        self._least = -LARGEST_FLOAT32 if minimum is None else max(minimum, -LARGEST_FLOAT32)
        self._most = LARGEST_FLOAT32 if maximum is None else min(maximum, LARGEST_FLOAT32)

    def __call__(self, values: Collection[Any], problems: Problems) -> np.ndarray:
        """Return the numbers."""
        try:
            numbers = _as_numbers(values)
        except (TypeError, ValueError, OverflowError):
            return np.array(self._read(values, problems), np.float64)
        if not isinstance(values, list):
            values = list(values)
        suspicious = ~((numbers >= self._least) & (numbers <= self._most))
        if self._missing.size:
            suspicious |= np.isin(numbers, self._missing)
        for position in np.flatnonzero(suspicious).tolist():
            if values[position] is not None:
                result = _result_or_problem(self._read_one, values[position])
                if isinstance(result, UnusableLineError):
                    problems.setdefault(position, result)
                    result = None
                numbers[position] = np.nan if result is None else result
        return numbers


class VectorReader:
    """Reads a column of vectors as an array of lists of float32, null where missing."""

    def __init__(
        self, column: str, dimension: int, separator: str, missing: Collection[str]
    ) -> None:
        self._dimension = dimension
        self._read = ValueReader(vector_reader(column, dimension, separator, missing))

    def __call__(self, values: Collection[Any], problems: Problems) -> pa.Array:
        """Return the vectors."""
        kind = pa.list_(pa.float32())
        if set(map(type, values)) <= {list}:
            try:
                numbers = np.array(values, np.float64)
            except (TypeError, ValueError, OverflowError):
                numbers = np.zeros(0)
            # Texts become numbers in NumPy, too, and truth values: only numbers are read at once.
            kinds = set(map(type, itertools.chain.from_iterable(values)))
            if (
                kinds <= {float, int, NarrowFloat}
                and numbers.shape == (len(values), self._dimension)
                and (np.abs(numbers) <= LARGEST_FLOAT32).all()
            ):
                ends = np.arange(len(values) + 1, dtype=np.int32) * self._dimension
                return pa.ListArray.from_arrays(ends, numbers.astype(np.float32).ravel())
        return pa.array(self._read(values, problems), kind)


class ListWeightsReader:
    """Reads the weights of a list as an array of lists of float32, null where missing."""

    def __init__(
        self, column: str, field: str, length: int, separator: str, missing: Collection[str]
    ) -> None:
        self._read = list_weights_reader(column, field, length, separator, missing)

    def __call__(
        self, values: Collection[Any], weights: Collection[Any], problems: Problems
    ) -> pa.Array:
        """Return the weights of the kept values, padded with 0."""
        rows: list[list[float] | None] = []
        for position, (of_list, of_row) in enumerate(zip(values, weights, strict=True)):
            try:
                rows.append(self._read(of_list, of_row))
            except UnusableLineError as problem:
                problems.setdefault(position, problem.with_traceback(None))
                rows.append(None)
        return pa.array(rows, pa.list_(pa.float32()))


class EventReader:
    """Reads a column of events as an array of truth values: whether each happened."""

    def __init__(
        self, column: str, equals: Collection[Value] | None, missing: Collection[str]
    ) -> None:
        self._read = ValueReader(event_reader(column, equals, missing))

    def __call__(self, values: Collection[Any], problems: Problems) -> np.ndarray:
        """Return the truth values."""
        return np.array(self._read(values, problems), bool)


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
        """Return one result a value; of an unusable value None, and note position and problem."""
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


class _Remembered(dict[Any, Any]):
    """Results, or problems, by value; an unknown value is read."""

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
        return problem.with_traceback(None)  # a traceback would keep the batch in memory


def _as_numbers(values: Iterable[Any]) -> np.ndarray:
    """Convert values to float64, None to NaN.

    Raises:
        TypeError, ValueError, OverflowError: a value is not simply a number.
    """
    kinds = set(map(type, values))
    if kinds == {str}:
        together = " ".join(values)
        if not together.isascii() or "_" in together:
            raise ValueError("Python, but not every reader, takes these for numbers")
        values = list(map(float, values))
    elif not kinds <= {float, int, NarrowFloat, _NONE}:
        raise TypeError(kinds)
    return np.array(values, np.float64)
