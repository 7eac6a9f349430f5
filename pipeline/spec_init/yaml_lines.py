"""Values and remarks as YAML on one line each."""

from __future__ import annotations

import re
from typing import Any

import yaml

_PLAIN = re.compile(r"[A-Za-z_][\w./*=-]*", re.ASCII)
# YAML reads these as truth values or as none.
_WORDS = frozenset({"true", "false", "yes", "no", "on", "off", "y", "n", "null"})
_LONGEST_EXAMPLE = 20


def flow(value: Any) -> str:
    """Return a value in flow style: `{a: 1, b: [x, "7"]}`."""
    if isinstance(value, dict):
        return f"{{{', '.join(f'{flow(key)}: {flow(one)}' for key, one in value.items())}}}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(flow, value))}]"
    if isinstance(value, str):
        if _PLAIN.fullmatch(value) and value.lower() not in _WORDS:
            return value
        quoted: str = yaml.safe_dump(value, default_style='"', width=1e9, allow_unicode=True)
        return quoted.strip()
    if isinstance(value, float) and value.is_integer() and 1 < abs(value) < 1e15:
        return str(int(value))
    return repr(value).lower()  # true and false


def remark(*parts: str) -> str:
    """Return a remark for the end of a line, two spaces before it; "" without any part."""
    text = "; ".join(part for part in parts if part)
    return f"  # {shown(text)}" if text else ""


def shown(text: str, longest: int | None = None) -> str:
    """Return a text with its unusual characters escaped, cut if it is long."""
    text = "".join(one if one.isprintable() else _escaped(one) for one in text)
    return text if longest is None or len(text) <= longest else f"{text[: longest - 1]}…"


def _escaped(character: str) -> str:
    return character.encode("unicode_escape", "surrogatepass").decode("ascii")


def examples(values: list[str]) -> str:
    """Return a few values for a remark."""
    return ", ".join(shown(value, _LONGEST_EXAMPLE) for value in values)
