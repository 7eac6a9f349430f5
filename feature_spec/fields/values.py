"""Conversion of raw values to categories and numbers, the same for logs and for requests."""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import Any


def is_missing(value: Any, missing_values: Collection[str]) -> bool:
    """Return whether a value is missing: None, "", or one of the spec's `logs.missing_values`."""
    return value is None or (isinstance(value, str) and (not value or value in missing_values))


def list_elements(value: Any, separator: str) -> list[Any]:
    """Return the elements of a list; split a text at the separator, and wrap any other value."""
    if isinstance(value, str):
        return [element.strip() for element in value.split(separator)]
    return list(value) if isinstance(value, list | tuple) else [value]


def category_text(value: Any) -> str:
    """Return the text of a category: text as it is, 7 as ``7``, true as ``true``.

    An empty text is a missing value.

    Raises:
        ValueError: the value is a fraction, whose text is ambiguous, or is not a scalar.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    raise ValueError(f"a category is a text, an integer or a truth value; received {value!r}")


def finite_number(value: Any) -> float:
    """Return the number of a value: of a number, a truth value, or text such as ``12.5``.

    Raises:
        ValueError: the value is not a number, or is NaN or infinite.
    """
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"a number is needed; received {value!r}") from None
    if not math.isfinite(number):
        raise ValueError(f"a finite number is needed; received {value!r}")
    return number
