"""Packages that load what they name when it is used, and not all at once.

`tfx.components` imports every component of TFX. Those that no run uses bring notebooks, plots,
Kubernetes, NLTK and scikit-learn with them, which takes longer to import than some runs take to
ingest. Names keep their meaning: one that such a package imports from a module of its own comes
from that module on first use, and any other name runs the package's `__init__.py` as ever.
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
import sys
import threading
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any

from typing_extensions import override

# Packages whose names load on first use.
_PACKAGES = frozenset({"tfx.components", "tensorflow_data_validation", "tensorflow_model_analysis"})
# TFX's `__init__.py` has stand-ins for what TFMA's wheel lacks, so TFMA is whole after it only.
_AFTER = {"tensorflow_model_analysis": "tfx.components"}
# Modules that Google's clients import and only notebooks use: they load on first use as a whole.
_MODULES = frozenset({"tqdm.notebook"})


def defer_imports() -> None:
    """Let the packages and modules that are not imported yet load on first use; calls add up."""
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())


class _Finder(MetaPathFinder):
    @override
    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,
        target: ModuleType | None = None,
    ) -> ModuleSpec | None:
        if fullname not in _PACKAGES | _MODULES:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader = (
                _PackageLoader(spec.loader)
                if fullname in _PACKAGES
                else importlib.util.LazyLoader(spec.loader)
            )
        return spec


class _PackageLoader(Loader):
    """Makes a package that runs its `__init__.py` only for a name that no module of it has."""

    def __init__(self, loader: Any) -> None:
        self._loader = loader
        self._lock = threading.RLock()
        self.is_whole = False

    @override
    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return None

    @override
    def exec_module(self, module: ModuleType) -> None:
        origins = _imported_names(self._loader.get_source(module.__name__), module.__name__)

        def value_of(name: str) -> Any:
            if name.startswith("__") and name not in {"__all__", "__version__", *origins}:
                raise AttributeError(f"module {module.__name__!r} has no attribute {name!r}")
            with self._lock:
                if not self.is_whole and name not in module.__dict__:
                    value = _from_module(module.__name__, name, origins)
                    if value is not None:
                        setattr(module, name, value)
                    else:
                        self.run(module)
            try:
                return module.__dict__[name]
            except KeyError:
                raise AttributeError(
                    f"module {module.__name__!r} has no attribute {name!r}"
                ) from None

        module.__getattr__ = value_of  # type: ignore[method-assign]

    def run(self, module: ModuleType) -> None:
        """Run the package's own `__init__.py`."""
        self.is_whole = True
        if module.__name__ in _AFTER:
            first = importlib.import_module(_AFTER[module.__name__])
            loader = first.__spec__.loader if first.__spec__ is not None else None
            if isinstance(loader, _PackageLoader) and not loader.is_whole:
                self.is_whole = False
                loader.run(first)
                if self.is_whole:
                    return
                self.is_whole = True
        self._loader.exec_module(module)


def _imported_names(source: str, package: str) -> dict[str, tuple[str, str]]:
    """Return the module, and the name in it, of each name that a package imports from its own."""
    return {
        alias.asname or alias.name: (node.module, alias.name)
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.ImportFrom) and node.level == 0 and node.module is not None
        if node.module.startswith(f"{package}.")
        for alias in node.names
    }


def _from_module(package: str, name: str, origins: dict[str, tuple[str, str]]) -> Any:
    """Return what a name stands for; None where the package's `__init__.py` must say so."""
    try:
        if name in origins:
            module, original = origins[name]
            return getattr(importlib.import_module(module), original)
        return importlib.import_module(f"{package}.{name}")
    except (ImportError, AttributeError):
        return None
