"""One value of a log as that of a field, a key or an event: text as bytes, numbers as floats, None where missing.

What a value means is defined here; `columns` reads whole columns to the same effect.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from typing import Any

from feature_spec.fields.values import category_text, finite_number, is_missing, list_elements
from pipeline.ingest.accounting.rejection import Reason, UnusableLineError

LARGEST_FLOAT32 = 3.4028234e38


def text_reader(column: str, missing: Collection[str]) -> Callable[[Any], bytes | None]:
    """Reads a key or a category.

    The function raises UnusableLineError for what cannot be read, as those of the other readers do.
    """

    def read(value: Any) -> bytes | None:
        return None if is_missing(value, missing) else _text(column, value)

    return read


def list_reader(
    column: str, separator: str, missing: Collection[str]
) -> Callable[[Any], tuple[bytes, ...] | None]:
    """Reads a list: a JSON list, or a text split at the separator. Missing elements are dropped; an empty list is missing."""
    read_element = text_reader(column, missing)

    def read(value: Any) -> tuple[bytes, ...] | None:
        if is_missing(value, missing):
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
    """Reads a finite number within bounds."""

    def read(value: Any) -> float | None:
        if is_missing(value, missing):
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


def event_reader(
    column: str, equals: Collection[str] | None, missing: Collection[str]
) -> Callable[[Any], bool]:
    """Reads whether an event happened: a flag, a count above 0 or, with `equals`, one of its texts. Missing means no."""

    def read(value: Any) -> bool:
        if is_missing(value, missing):
            return False
        if equals is not None:
            return _text(column, value).decode() in equals
        if isinstance(value, str) and value.lower() in ("true", "false"):
            return value.lower() == "true"
        try:
            return finite_number(value) > 0
        except ValueError as error:
            detail = f"{column}: a flag or a count is needed; received {value!r}"
            raise UnusableLineError(_number_reason(value), detail) from error

    return read


def _text(column: str, value: Any) -> bytes:
    try:
        return category_text(value).encode("utf-8")
    except UnicodeEncodeError as error:
        raise UnusableLineError(
            Reason.WRONG_ENCODING, f"{column}: half of a surrogate pair in {value!r}"
        ) from error
    except ValueError as error:
        # A category may be given as 7.0, so that NaN is a number gone wrong and not a wrong type.
        reason = _number_reason(value) if isinstance(value, float) else Reason.WRONG_TYPE
        raise UnusableLineError(reason, f"{column}: {error}") from error


def _number_reason(value: Any) -> Reason:
    """Why a value is no finite number."""
    try:
        number = float(value)
    except OverflowError:
        return Reason.OUT_OF_RANGE
    except (TypeError, ValueError):
        return Reason.WRONG_TYPE
    return Reason.WRONG_TYPE if math.isfinite(number) else Reason.NOT_FINITE
