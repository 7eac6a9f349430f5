"""Conversion of raw values to categories and numbers, the same for logs and for requests."""

from __future__ import annotations

import functools
import math
import re
import struct
from collections.abc import Collection
from typing import Any

# From here on, different whole numbers share one float: of 16, 32 or 64 bits, by bytes.
_WHOLE_BELOW = {2: 2**11, 4: 2**24, 8: 2**53}
LARGEST_FLOAT32 = 3.4028234663852886e38

# `float` also takes digits of other scripts and 1_000, which other readers of a log do not.
_NUMBER = re.compile(r"[ \t]*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?[ \t]*", re.ASCII)
_NOT_FINITE = re.compile(r"[ \t]*[+-]?(nan|inf|infinity)[ \t]*", re.IGNORECASE | re.ASCII)


class NarrowFloat(float):
    """A float that was stored in 32 or 16 bits, where large whole numbers share one float sooner.

    Attributes:
        whole_below: whole numbers below are exact.
    """

    whole_below: int


def narrow_float(value: float, size_bytes: int) -> float:
    """Return a float that remembers its size if whole numbers of its magnitude are not exact."""
    if abs(value) < _WHOLE_BELOW[size_bytes] or not math.isfinite(value):
        return value
    narrow = NarrowFloat(value)
    narrow.whole_below = _WHOLE_BELOW[size_bytes]
    return narrow


def plain_value(value: Any) -> Any:
    """Return the Python value of a scalar of NumPy or Arrow, and any other value as it is."""
    if isinstance(value, str | int | float | list | tuple | None):
        # NumPy's texts and floats of 64 bits are also Python's.
        return value
    if hasattr(value, "as_py"):
        return value.as_py()
    if getattr(value, "shape", None) == () and hasattr(value, "item"):
        plain = value.item()
        narrow = isinstance(plain, float) and value.dtype.itemsize in _WHOLE_BELOW
        return narrow_float(plain, value.dtype.itemsize) if narrow else plain
    return value


def is_missing(value: Any, missing_values: Collection[str]) -> bool:
    """Return whether a value is missing: None, "", or one of the spec's `logs.missing_values`.

    A text is compared as it is. A number is missing if `missing_values` has that number in any
    spelling: -1 and -1.0 by ``-1``, NaN by ``nan`` or ``NaN``. A truth value is missing by ``true``
    or ``false`` in any case.
    """
    if isinstance(value, str):
        return not value or value in missing_values
    value = plain_value(value)
    if value is None or not isinstance(value, bool | int | float):
        return value is None
    if isinstance(value, bool):
        return category_text(value) in map(str.lower, missing_values)
    missing = frozenset(missing_values)
    if isinstance(value, int):
        return value in missing_numbers(missing)
    return _is_one_of(value, missing_floats(missing))


def is_missing_number(text: str, missing_values: Collection[str]) -> bool:
    """Return whether a text spells a number that is missing, such as ``-1.0`` by ``-1``.

    Only where a number is needed: a category ``-1.0`` is another than ``-1``.
    """
    missing = missing_floats(frozenset(missing_values))
    return bool(missing) and is_number(text) and _is_one_of(float(text), missing)


@functools.lru_cache(maxsize=64)
def missing_numbers(missing_values: frozenset[str]) -> frozenset[int | float]:
    """Return the numbers that `missing_values` spells, exactly."""
    numbers: set[int | float] = set()
    for text in filter(is_number, missing_values):
        number = float(text)
        whole = math.isfinite(number) and text.strip().lstrip("+-").isdigit()
        numbers.add(int(text) if whole else number)
    return frozenset(numbers)


@functools.lru_cache(maxsize=64)
def missing_floats(missing_values: frozenset[str]) -> tuple[float, ...]:
    """Return the numbers that `missing_values` spells as floats of 64 and of 32 bits."""
    exact = [float(number) for number in missing_numbers(missing_values)]
    narrow = [number for number in exact if abs(number) <= LARGEST_FLOAT32]
    return (*exact, *(struct.unpack("f", struct.pack("f", number))[0] for number in narrow))


def _is_one_of(number: float, numbers: Collection[float]) -> bool:
    return number in numbers or (math.isnan(number) and any(map(math.isnan, numbers)))


def is_number(text: str) -> bool:
    """Return whether a text is a number in decimal notation, NaN or infinite."""
    return bool(_NUMBER.fullmatch(text) or _NOT_FINITE.fullmatch(text))


def list_elements(value: Any, separator: str) -> list[Any]:
    """Return the elements of a list; split a text at the separator, and wrap any other value."""
    if isinstance(value, str):
        return [element.strip() for element in value.split(separator)]
    return list(value) if isinstance(value, list | tuple) else [value]


def category_text(value: Any) -> str:
    """Return the text of a category: text as it is, 7 and 7.0 as ``7``, true as ``true``.

    An empty text is a missing value.

    Raises:
        ValueError: the value has no text of its own. It is a fraction, a float so large that
            different whole numbers share it, or is not a scalar.
    """
    value = plain_value(value)
    if isinstance(value, str):
        return str(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return _digits(value)
    if isinstance(value, float) and value.is_integer():
        largest = getattr(value, "whole_below", _WHOLE_BELOW[8])
        if abs(value) < largest:
            return str(int(value))
        raise ValueError(
            f"a category is exact; received {float(value)!r}, which as a float stands for several "
            f"whole numbers, as all from {largest} on: store such ids as integers or texts"
        )
    raise ValueError(f"a category is a text, an integer or a truth value; received {value!r}")


def _digits(value: int) -> str:
    try:
        return str(value)
    except ValueError:  # Python writes at most 4,300 digits
        raise ValueError(
            f"a category of fewer digits is needed; received {value.bit_length():,} bits"
        ) from None


def finite_number(value: Any) -> float:
    """Return the number of a value: of a number, a truth value, or text such as ``12.5``.

    Raises:
        ValueError: the value is not a number, or is NaN or infinite.
    """
    value = plain_value(value)
    if isinstance(value, str) and not is_number(value):
        raise ValueError(f"a number is needed; received {value!r}")
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"a number is needed; received {shortened(value)}") from None
    if not math.isfinite(number):
        raise ValueError(f"a finite number is needed; received {value!r}")
    return number


def finite_vector(value: Any, dimension: int, separator: str) -> list[float]:
    """Return the values of a vector: of a list or an array, or of text such as ``0.5,-1``.

    Raises:
        ValueError: there are more or fewer values, or one is no finite number of float32.
    """
    if getattr(value, "ndim", None) == 1:
        value = value.tolist()  # an array
    if isinstance(value, str):
        value = list_elements(value.strip().removeprefix("[").removesuffix("]"), separator)
    if not isinstance(value, list | tuple):
        raise ValueError(f"a list of {dimension} numbers is needed; received {shortened(value)}")
    if len(value) != dimension:
        raise ValueError(f"a list of {dimension} numbers is needed; received {len(value)}")
    numbers = []
    for position, element in enumerate(value):
        try:
            number = finite_number(element)
        except ValueError as error:
            raise ValueError(f"value {position + 1} of {dimension}: {error}") from error
        if abs(number) > LARGEST_FLOAT32:
            raise ValueError(
                f"value {position + 1} of {dimension}: beyond the range of float32; received "
                f"{element!r}"
            )
        numbers.append(number)
    return numbers


def shortened(value: Any) -> str:
    """Return a value as text for a message, also an integer of too many digits to print."""
    try:
        return repr(value)
    except ValueError:
        return f"an integer of {value.bit_length():,} bits"
