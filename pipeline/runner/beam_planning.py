"""Beam's planning of a pipeline, without looking for the state of each function again and again."""

from __future__ import annotations

import contextlib
import weakref
from collections.abc import Iterator
from typing import Any


@contextlib.contextmanager
def functions_inspected_once() -> Iterator[None]:
    """Let Beam look once for the state and the timers that a function declares.

    Beam asks at each step of its planning, and each time inspects all methods of the function: a
    quarter to a third of the time of a small pipeline. The answer depends on the class alone. A
    Beam without this question plans as ever.
    """
    from apache_beam.transforms import userstate

    inspect = getattr(userstate, "get_dofn_specs", None)
    if inspect is None:
        yield
        return
    known: weakref.WeakKeyDictionary[Any, Any] = weakref.WeakKeyDictionary()

    def inspect_once(function: Any) -> Any:
        try:
            return known[function]
        except KeyError:
            return known.setdefault(function, inspect(function))
        except TypeError:  # without a hash or a weak reference
            return inspect(function)

    userstate.get_dofn_specs = inspect_once
    try:
        yield
    finally:
        userstate.get_dofn_specs = inspect
