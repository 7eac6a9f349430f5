"""Public names that are imported on first use, and the error for an extra that is not installed."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any

# Top-level packages of Fulcrum, and the extra that installs what each needs; beside them, packages
# that another extra installs, whoever imports them.
EXTRAS = {"pipeline": "pipeline", "trainer": "trainer", "serving": "serve"}
_EXTRA_OF_PACKAGE = {
    "apache_beam": "pipeline",
    "confluent_kafka": "kafka",
    "keras_tuner": "pipeline",
    "kfp": "kubeflow",
    "lmdb": "histories",
    "matplotlib": "report",
    "pyarrow": "pipeline",
    "redis": "redis",
    "tensorflow_transform": "pipeline",
    "tfx": "pipeline",
}
_TITLES = {"apache_beam": "Apache Beam", "tensorflow": "TensorFlow", "tfx": "TFX"}


class MissingExtraError(ImportError):
    """An optional dependency is not installed. The message names the extra that installs it."""

    def __init__(self, wanted: str, missing: str, extra: str) -> None:
        package = _TITLES.get(missing, missing)
        super().__init__(
            f"{wanted} needs {package}: pip install 'fulcrum-ranker[{extra}]'", name=missing
        )


def missing_extra(
    error: ModuleNotFoundError, wanted: str, importer: str
) -> MissingExtraError | None:
    """Return the error that names the extra to install; None if a module of Fulcrum is missing.

    Args:
        error: what Python raised.
        wanted: the name or command that could not be used.
        importer: the top-level package of Fulcrum that needs the missing one.
    """
    missing = (error.name or "").partition(".")[0]
    if missing in {"", "fulcrum", "feature_spec", *EXTRAS}:
        return None
    return MissingExtraError(wanted, missing, extra_for(missing, importer))


def extra_for(missing: str, importer: str) -> str:
    """Return the extra that installs a missing package for one of Fulcrum's top-level packages."""
    return _EXTRA_OF_PACKAGE.get(missing) or EXTRAS.get(importer, "all")


def lazy_names(
    package: str, homes: Mapping[str, str], submodules: Iterable[str] = ()
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Return `__getattr__` and `__dir__` (PEP 562) for a package with lazily imported names.

    Args:
        package: the package's `__name__`.
        homes: the module that defines each public name.
        submodules: names of the package's own modules that attribute access may import.
    """
    submodules = frozenset(submodules)

    def load(name: str) -> Any:
        if name in submodules:
            return importlib.import_module(f"{package}.{name}")
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        home = homes[name]
        try:
            value = getattr(importlib.import_module(home), name)
        except ModuleNotFoundError as error:
            missing = missing_extra(error, f"{package}.{name}", home.partition(".")[0])
            if missing is None:
                raise
            raise missing from error
        setattr(sys.modules[package], name, value)
        return value

    def names() -> list[str]:
        return sorted({*vars(sys.modules[package]), *homes, *submodules})

    return load, names
