"""A spec with stand-ins for its wrong parts, so that its other parts can be checked as well."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from feature_spec.strict_model import Problem

_ANY_SOURCE = {"path": "any", "format": "jsonl"}
# Parts that any other part may refer to. A part with a default is left out instead.
_STAND_INS: dict[str, Any] = {
    "name": "any",
    "keys": {
        **dict.fromkeys(("request", "user", "item"), "any"),
        "event_time": {"column": "any", "unit": "s"},
    },
    "logs": {"exposures": _ANY_SOURCE},
    "split": {"evaluation_files": ["any"]},
    "fields": {"any": {"side": "item", "kind": "categorical"}},
    "tasks": {
        "any": {
            "kind": "binary",
            "label": {"rule": "event", "column": "any"},
            "metric": "auc",
            "threshold": 0.0,
            "tolerance": 0.0,
        }
    },
    "ranking_formula": {"weights": {}},
}
_BY_NAME = ("fields", "tasks")


class Mending:
    """A document with stand-ins for what is wrong in it.

    Args:
        received: the spec as YAML gives it.
        places: the places of mistakes.
        sections: the names of all sections.

    Attributes:
        document: the spec with stand-ins.
    """

    def __init__(
        self,
        received: dict[Any, Any],
        places: Iterable[tuple[str | int, ...]],
        sections: Iterable[str],
    ) -> None:
        self.document = {name: received[name] for name in sections if name in received}
        self._broken: set[str] = set()
        # The side tables of broken fields, whose names can be looked up all the same.
        self._kept_tables: set[tuple[str | int, ...]] = set()
        for place in places:
            if place:
                self._mend(place)

    def leaves(self, problem: Problem) -> bool:
        """Return whether a problem of the mended document is one of the received document."""
        if problem.place in self._kept_tables:
            return "logs" not in self._broken
        return not (
            str(problem.place[0]) in self._broken
            or any(f"{part}.{problem.received}" in self._broken for part in _BY_NAME)
            or ".".join(map(str, problem.place[:2])) in self._broken
        )

    def _mend(self, place: tuple[str | int, ...]) -> None:
        section, *inner = map(str, place)
        content = self.document.get(section)
        if section in _BY_NAME and inner and isinstance(content, dict):
            self._broken.add(f"{section}.{inner[0]}")
            others = {name: value for name, value in content.items() if str(name) != inner[0]}
            if inner[-1] == "[key]" or len(others) == len(content):
                self.document[section] = {
                    name: value for name, value in others.items() if isinstance(name, str)
                } or _STAND_INS[section]
            else:
                [stand_in] = _STAND_INS[section].values()
                broken = content.get(inner[0])
                table = broken.get("table") if isinstance(broken, dict) else None
                if section == "fields" and isinstance(table, str) and "table" not in inner:
                    self._kept_tables.add((section, inner[0], "table"))
                    stand_in = {**stand_in, "table": table}
                self.document[section] = {
                    name: stand_in if str(name) == inner[0] else value
                    for name, value in content.items()
                }
            return
        self._broken.add(section)
        if section not in _STAND_INS:
            self.document.pop(section, None)
            return
        self.document[section] = _STAND_INS[section]
        tables = content.get("tables") if isinstance(content, dict) else None
        if section == "logs" and isinstance(tables, dict):
            self.document[section] = _STAND_INS[section] | {
                "tables": {str(name): {**_ANY_SOURCE, "key": "any"} for name in tables}
            }
