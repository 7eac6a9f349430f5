"""The one way in which a value of a log or a request becomes a category's text or a number, so that the two never differ."""

from __future__ import annotations

import math
from typing import Any


def category_text(value: Any) -> str:
    """The text of a category: text as it is, 7 as ``7``, true as ``true``; an empty text is a missing value.

    Raises:
        ValueError: the value is a fraction, which has no one text, or not a scalar.
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
    """The number a value stands for: a number, a truth value, or text such as ``12.5``.

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
