"""Imports of libraries whose native code talks on standard error, without what it says.

TensorFlow tells of CUDA before its settings for logs hold, so the file descriptor is watched while
it is imported. Everything that is not such a message is printed afterwards.
"""

from __future__ import annotations

import contextlib
import importlib.abc
import importlib.machinery
import os
import re
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from types import ModuleType

# A log line of Abseil, such as "I0000 00:00:1796065892.3 2360 cudart_stub.cc:31] …", its warning
# that logs are not set up, and the second line of a message of TensorFlow.
_NOISE = re.compile(
    rb"(?:[IWE]\d{4} [\d:.]+ +\d+ \S+\] |WARNING: All log messages before absl::Init"
    rb"|To enable the following instructions: )"
)


class QuietFinder(importlib.abc.MetaPathFinder):
    """Finds modules as the other finders do, and lets those of some names load without noise.

    Args:
        names: the modules.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self._names = frozenset(names)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Return the module that another finder finds; None for names that need no quiet."""
        if fullname not in self._names:
            return None
        for finder in sys.meta_path:
            if finder is self:
                continue
            spec = finder.find_spec(fullname, path, target)
            if spec is None or spec.loader is None:
                continue
            spec.loader.exec_module = _quietly(spec.loader.exec_module)  # type: ignore[method-assign, assignment]
            return spec
        return None


def _quietly(load: Callable[[ModuleType], None]) -> Callable[[ModuleType], None]:
    def loaded(module: ModuleType) -> None:
        with without_noise():
            load(module)

    return loaded


@contextlib.contextmanager
def without_noise() -> Iterator[None]:
    """Keep log lines of native libraries off standard error; other lines are printed at the end."""
    sys.stderr.flush()
    saved = os.dup(2)
    with tempfile.TemporaryFile() as kept:
        os.dup2(kept.fileno(), 2)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(saved, 2)
            os.close(saved)
            kept.seek(0)
            os.write(2, b"".join(line for line in kept if not _NOISE.match(line)))
