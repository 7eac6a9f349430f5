"""The meaning of one value of a log: texts, lists, numbers, events and times.

Ingestion reads columns to the same effect, and a history store reads single events. A reader
returns text as bytes, numbers as floats and None where the value is missing.
"""

from __future__ import annotations

import dataclasses
import datetime
import math
import struct
from collections.abc import Callable, Collection
from typing import Any
from zoneinfo import ZoneInfo

from feature_spec.fields.list_weights import aligned_weights, kept_values
from feature_spec.fields.values import (
    LARGEST_FLOAT32,
    category_text,
    finite_number,
    finite_vector,
    is_missing,
    is_missing_number,
    is_number,
    list_elements,
)
from feature_spec.logs.event_logs import EventTime
from feature_spec.logs.logs import RejectionReason as Reason
from feature_spec.strict_model import Value

# Python turns no longer texts into integers.
_MOST_DIGITS = 4_000
MICROSECONDS = {"s": 1_000_000, "ms": 1_000, "us": 1}
_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)


class UnusableLineError(ValueError):
    """A line or row cannot be used."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail

    def __reduce__(self) -> tuple[type[UnusableLineError], tuple[Reason, str]]:
        return UnusableLineError, (self.reason, self.detail)


@dataclasses.dataclass(frozen=True)
class UnusableValue:
    """A value that Python cannot hold, or that is ambiguous; whoever reads it rejects its row.

    Attributes:
        reason: the reason of the rejection.
        detail: the value as text, and the problem with it.
    """

    reason: Reason
    detail: str

    def __str__(self) -> str:
        return self.detail


def text_reader(column: str, missing: Collection[str]) -> Callable[[Any], bytes | None]:
    """Return a function that reads a key or a category.

    Like the other readers, the function raises UnusableLineError for a value that cannot be read.
    """

    def read(value: Any) -> bytes | None:
        return None if lacks_value(column, value, missing) else _text(column, value)

    return read


def list_reader(
    column: str, separator: str, missing: Collection[str]
) -> Callable[[Any], tuple[bytes, ...] | None]:
    """Return a function that reads a list: a JSON list, or a text split at the separator.

    Missing elements are dropped; an empty list is missing.
    """
    read_element = text_reader(column, missing)

    def read(value: Any) -> tuple[bytes, ...] | None:
        if lacks_value(column, value, missing):
            return None
        elements = list_elements(value, separator)
        return (
            tuple([text for element in elements if (text := read_element(element)) is not None])
            or None
        )

    return read


def number_reader(
    column: str,
    missing: Collection[str],
    minimum: float | None = None,
    maximum: float | None = None,
) -> Callable[[Any], float | None]:
    """Return a function that reads a finite number within bounds."""

    def read(value: Any) -> float | None:
        if lacks_number(column, value, missing):
            return None
        try:
            number = finite_number(value)
        except ValueError as error:
            raise UnusableLineError(_number_reason(value), f"{column}: {error}") from error
        if abs(number) > LARGEST_FLOAT32:
            raise UnusableLineError(
                Reason.OUT_OF_RANGE, f"{column}: beyond the range of float32; received {value!r}"
            )
        if minimum is not None and number < minimum:
            raise UnusableLineError(
                Reason.OUT_OF_RANGE, f"{column}: should be at least {minimum:g}; received {value!r}"
            )
        if maximum is not None and number > maximum:
            raise UnusableLineError(
                Reason.OUT_OF_RANGE, f"{column}: should be at most {maximum:g}; received {value!r}"
            )
        return number

    return read


def vector_reader(
    column: str, dimension: int, separator: str, missing: Collection[str]
) -> Callable[[Any], list[float] | None]:
    """Return a function that reads a vector: a list of numbers, or a text split at the separator.

    A missing value or an empty list is a missing vector.
    """

    def read(value: Any) -> list[float] | None:
        if lacks_value(column, value, missing) or value in ([], ()):
            return None
        try:
            return finite_vector(value, dimension, separator)
        except ValueError as error:
            raise UnusableLineError(
                _vector_reason(value, dimension, separator), f"{column}: {error}"
            ) from error

    return read


def list_weights_reader(
    column: str, field: str, length: int, separator: str, missing: Collection[str]
) -> Callable[[Any, Any], list[float] | None]:
    """Return a function that reads the weights of a list of the values and of the weights.

    Weights of missing values are dropped, like those after the first `length`; shorter lists are
    padded with 0. A missing value or an empty list means no weights.

    Args:
        column: the column of the weights.
        field: the list.
        length: the number of values that are kept.
        separator: splits texts.
        missing: the texts of missing values.
    """

    def read(values: Any, weights: Any) -> list[float] | None:
        if lacks_value(column, weights, missing) or weights in ([], ()):
            return None
        if isinstance(values, UnusableValue):
            return None  # what rejects the row
        try:
            return aligned_weights(
                field, values, weights, length=length, separator=separator, missing=missing
            )
        except ValueError as error:
            count = len(kept_values(values, separator, missing))
            raise UnusableLineError(
                _vector_reason(weights, count, separator, Reason.OUT_OF_RANGE), f"{column}: {error}"
            ) from error

    return read


def _vector_reason(
    value: Any, dimension: int, separator: str, otherwise: Reason = Reason.WRONG_TYPE
) -> Reason:
    """Return the reason why a value is no vector of finite numbers, or `otherwise` if it is."""
    if isinstance(value, str):
        value = list_elements(value.strip().removeprefix("[").removesuffix("]"), separator)
    if not isinstance(value, list | tuple):
        return Reason.WRONG_TYPE
    if len(value) != dimension:
        return Reason.WRONG_LENGTH
    reasons = []
    for element in value:
        try:
            if abs(finite_number(element)) > LARGEST_FLOAT32:
                reasons.append(Reason.OUT_OF_RANGE)
        except ValueError:
            reasons.append(_number_reason(element))
    return [*reasons, otherwise][0]


def event_reader(
    column: str, equals: Collection[Value] | None, missing: Collection[str]
) -> Callable[[Any], bool]:
    """Return a function that reads whether an event happened.

    An event happened if its value is a true flag, a count above 0 or, with `equals`, one of these
    values. It did not happen if its value is missing.
    """
    if equals is not None:
        is_one_of = _membership(column, equals)
        return lambda value: not lacks_value(column, value, missing) and is_one_of(value)

    def read(value: Any) -> bool:
        if lacks_number(column, value, missing):
            return False
        if isinstance(value, str) and value.lower() in ("true", "false"):
            return value.lower() == "true"
        try:
            return finite_number(value) > 0
        except ValueError as error:
            detail = f"{column}: a flag or a count is needed; received {value!r}"
            raise UnusableLineError(_number_reason(value), detail) from error

    return read


def _membership(column: str, values: Collection[Value]) -> Callable[[Any], bool]:
    """Return a function that tells whether a value is one of some.

    Texts are compared as they are; numbers by their size, so that 4 is also 4.0 and the text
    ``4.0``; truth values by their names in any case.
    """
    truths = {str(value).lower() for value in values if isinstance(value, bool)}
    texts = truths | {value for value in values if isinstance(value, str)}
    numbers: set[int | float] = {
        value for value in values if isinstance(value, int | float) and not isinstance(value, bool)
    }
    # Columns of 32 bits hold the nearest fraction that they have. Whole numbers, which may be ids,
    # are compared as they are.
    numbers |= {
        struct.unpack("f", struct.pack("f", value))[0]
        for value in numbers
        if isinstance(value, float) and not value.is_integer() and abs(value) <= LARGEST_FLOAT32
    }

    def is_one_of(value: Any) -> bool:
        if isinstance(value, str) and (
            (truths and value.lower() in truths)
            or (numbers and is_number(value) and _number_of_text(value) in numbers)
        ):
            return True
        if numbers and isinstance(value, int | float) and not isinstance(value, bool):
            if value in numbers:
                return True
            if isinstance(value, float) and math.isfinite(value) and not value.is_integer():
                return False  # a fraction, which equals no text
        return _text(column, value).decode() in texts

    return is_one_of


def _number_of_text(text: str) -> int | float:
    whole = text.strip().lstrip("+-").isdigit()
    return int(text) if whole and len(text) < _MOST_DIGITS else float(text)


def time_reader(event_time: EventTime) -> Callable[[Any], tuple[int, int]]:
    """Return a function that reads one event time.

    The function returns microseconds since the Unix epoch, and the day in the spec's time zone as
    `date.toordinal` counts. It raises UnusableLineError for a value that is no such time.
    """
    zone = ZoneInfo(event_time.timezone)

    def read(value: Any) -> tuple[int, int]:
        try:
            if event_time.unit == "iso8601":
                moment = _localised(datetime.datetime.fromisoformat(value), zone)
            elif event_time.unit == "yyyymmdd":
                moment = _localised(_day(value), zone)
            else:
                microseconds = _microseconds(value, MICROSECONDS[event_time.unit])
                return microseconds, (
                    _EPOCH + datetime.timedelta(microseconds=microseconds)
                ).astimezone(zone).toordinal()
            return (moment - _EPOCH) // datetime.timedelta(microseconds=1), moment.astimezone(
                zone
            ).toordinal()
        except (ValueError, TypeError, OverflowError) as error:
            detail = (
                f"{event_time.column}: a time in {event_time.unit} is needed; received {value!r}"
            )
            raise UnusableLineError(Reason.BAD_EVENT_TIME, detail) from error

    return read


def _localised(moment: datetime.datetime, zone: ZoneInfo) -> datetime.datetime:
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=zone)


def _day(value: Any) -> datetime.datetime:
    text = str(value)
    if len(text) != 8 or not text.isdecimal() or not text.isascii():
        raise ValueError(text)
    return datetime.datetime(int(text[:4]), int(text[4:6]), int(text[6:]))


def _microseconds(value: Any, unit: int) -> int:
    if isinstance(value, bool):
        raise TypeError("a truth value is no time")
    # A float would round the microseconds of large whole numbers.
    whole = isinstance(value, int) or (
        isinstance(value, str) and value.isascii() and value.removeprefix("-").isdecimal()
    )
    return round((int(value) if whole else finite_number(value)) * unit)


def lacks_value(column: str, value: Any, missing: Collection[str]) -> bool:
    """Return whether a value is missing.

    Raises:
        UnusableLineError: the value is one that no reader can use.
    """
    if isinstance(value, UnusableValue):
        raise UnusableLineError(value.reason, f"{column}: {value.detail}")
    return is_missing(value, missing)


def lacks_number(column: str, value: Any, missing: Collection[str]) -> bool:
    """Return whether a number is missing, which a text may also spell in another way.

    Raises:
        UnusableLineError: the value is one that no reader can use.
    """
    return lacks_value(column, value, missing) or (
        isinstance(value, str) and is_missing_number(value, missing)
    )


def _text(column: str, value: Any) -> bytes:
    try:
        return category_text(value).encode("utf-8")
    except UnicodeEncodeError as error:
        raise UnusableLineError(
            Reason.WRONG_ENCODING,
            f"{column}: not UTF-8, or half of a surrogate pair, in {value!r}",
        ) from error
    except ValueError as error:
        # A category may be given as 7.0, so NaN is a number gone wrong, not a wrong type.
        reason = _number_reason(value) if isinstance(value, float) else Reason.WRONG_TYPE
        raise UnusableLineError(reason, f"{column}: {error}") from error


def _number_reason(value: Any) -> Reason:
    """Return the reason why a value is not a finite number."""
    try:
        number = float(value) if not isinstance(value, str) or is_number(value) else 0.0
    except OverflowError:
        return Reason.OUT_OF_RANGE
    except (TypeError, ValueError):
        return Reason.WRONG_TYPE
    return Reason.WRONG_TYPE if math.isfinite(number) else Reason.NOT_FINITE
