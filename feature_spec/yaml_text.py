"""YAML and JSON as texts: one reader for every way that a spec travels.

A spec travels between steps as JSON. JSON is read as JSON: a reader of YAML takes its `1e-05` for a
text, does not join the halves of an emoji, and refuses some of its control characters. In YAML,
numbers are those of YAML 1.2: `1e-3` is a number, while `1:30` and `010`, which older readers take
for 90 and 8, stay texts.
"""

from __future__ import annotations

import json
import re
from collections.abc import Hashable
from typing import Any

import yaml

# Comments of YAML before a text in JSON, such as in the spec that an export carries.
_COMMENTS = re.compile(r"\ufeff?(?:\s*#[^\n]*\n)*\s*")


class YamlTextError(ValueError):
    """A text is neither YAML nor JSON. The message has the place in the text."""


def read_yaml(text: str, source: str) -> Any:
    """Return what a text in YAML or JSON holds; errors call the text `source`.

    Raises:
        YamlTextError: the text is not valid, or gives a key twice.
    """
    start = _COMMENTS.match(text).end()  # type: ignore[union-attr]  # it may match nothing
    try:
        if text.startswith(("{", "["), start):
            try:
                return json.loads(text[start:], object_pairs_hook=_unique_keys)
            except json.JSONDecodeError:
                pass  # YAML may begin like JSON
        return _Loader(text, source).get_single_data()
    except (yaml.YAMLError, YamlTextError) as error:
        raise YamlTextError(str(error)) from error
    # Python refuses what YAML allows: the 30th of February, numbers of more than 4,300 digits.
    except (ValueError, RecursionError) as error:
        raise YamlTextError(f'{error} (in "{source}")') from error


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise YamlTextError(f"key {twice!r} is given twice")
    return content


class _Loader(yaml.SafeLoader):
    """Refuses duplicate keys in a mapping, of which YAML libraries silently keep the last.

    Args:
        text: the YAML.
        source: what errors call the text.
    """

    def __init__(self, text: str, source: str) -> None:
        self._source = source
        super().__init__(text)

    def check_printable(self, data: Any) -> None:
        self.name = self._source  # the first step that can fail; PyYAML names only files
        super().check_printable(data)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key_node, _ in node.value:
            if isinstance(key_node.value, Hashable) and key_node.value in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"key {key_node.value!r} is given twice", key_node.start_mark
                )
            seen.add(str(key_node.value))
        return super().construct_mapping(node, deep)


_NUMBERS = ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float")
_Loader.yaml_implicit_resolvers = {
    first: [resolver for resolver in resolvers if resolver[0] not in _NUMBERS]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:int",
    re.compile(r"[-+]?(?:0|[1-9][0-9_]*|0x[0-9a-fA-F_]+|0b[01_]+)$"),
    list("-+0123456789"),
)
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(
        r"""[-+]?(?:(?:\.[0-9][0-9_]*|[0-9][0-9_]*\.[0-9_]*)(?:[eE][-+]?[0-9]+)?
        |[0-9][0-9_]*[eE][-+]?[0-9]+|\.(?:inf|Inf|INF))$|\.(?:nan|NaN|NAN)$""",
        re.VERBOSE,
    ),
    list("-+.0123456789"),
)
