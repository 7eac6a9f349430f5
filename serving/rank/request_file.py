"""A ranking request in a JSON file.

    {"spec": "short_video",
     "user": {"user_id": "u1", "recent_videos": ["v3", "v7"]},
     "context": {"hour": 20},
     "candidates": [{"id": "first", "video_id": "v1", "duration_s": 12.5}, {"video_id": "v2"}],
     "weights": {"ctr": 1.0}}

Only ``candidates`` is needed. A field that is left out, or null, is missing. ``id`` is what the
caller calls a candidate; it is a field as well where the spec has an item field of that name.
``spec`` is a path relative to the file, or a ready spec's name.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from feature_spec.loading import ready_specs
from feature_spec.spec import FeatureSpec
from feature_spec.strict_model import closest_names
from serving.client.types import Candidate, RankingRequest
from serving.errors import RankingError

_KEYS = ("spec", "user", "context", "candidates", "weights")


class RequestFileError(RankingError):
    """A request file cannot be used.

    The message names the file, the place in it, what was received and what is valid.
    """


@dataclass(frozen=True, kw_only=True)
class RequestFile:
    """A request file whose outline is right; its fields are checked against the spec by the client.

    Attributes:
        path: The file.
        content: The content of the file by key.
    """

    path: Path
    content: Mapping[str, Any]

    @property
    def spec(self) -> str | None:
        """The path or name of the spec that the file names; None if it names none."""
        named = self.content.get("spec")
        return named if named is None or named in ready_specs() else str(self.path.parent / named)

    def request(
        self, spec: FeatureSpec, weights: Mapping[str, float] | None = None
    ) -> RankingRequest:
        """Return the request, with its formula weights replaced by those in `weights`."""
        return RankingRequest(
            user=self.content.get("user", {}),
            context=self.content.get("context", {}),
            candidates=[_candidate(spec, fields) for fields in self.content["candidates"]],
            weights={**self.content.get("weights", {}), **(weights or {})},
        )


def read_request_file(path: Path) -> RequestFile:
    """Read a request file.

    Raises:
        RequestFileError: The file cannot be read, is not JSON, or is not laid out as a request.
    """
    try:
        text = path.read_text(encoding="utf-8")
        content = json.loads(
            text, object_pairs_hook=_without_duplicates, parse_constant=_no_constant
        )
    except OSError as error:
        raise RequestFileError(f"{path}: cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise RequestFileError(f"{path}: not UTF-8 text: {error}") from error
    except json.JSONDecodeError as error:
        raise RequestFileError(
            f"{path}: line {error.lineno}, column {error.colno}: not valid JSON: {error.msg}"
        ) from error
    except ValueError as error:
        raise RequestFileError(f"{path}: {error}") from error
    problems = _outline_problems(content)
    if problems:
        raise RequestFileError(
            "\n".join(
                [f"{path}: not a ranking request:", *(f"  {problem}" for problem in problems)]
            )
        )
    return RequestFile(path=path, content=content)


def _outline_problems(content: Any) -> list[str]:
    if not isinstance(content, dict):
        return [
            f"top level: an object with {', '.join(_KEYS)} is needed; received {_shown(content)}"
        ]
    problems = [
        f"{key}: no such key: {closest_names(key, _KEYS)}" for key in content if key not in _KEYS
    ]
    for key in ("user", "context", "weights"):
        if not isinstance(content.get(key, {}), dict):
            problems.append(f"{key}: an object is needed; received {_shown(content[key])}")
    if not isinstance(content.get("spec", ""), str):
        problems.append(
            "spec: a path or the name of a ready spec is needed; received "
            f"{_shown(content['spec'])}"
        )
    candidates = content.get("candidates")
    if not isinstance(candidates, list):
        received = _shown(candidates) if "candidates" in content else "none"
        return [*problems, f"candidates: a list of objects is needed; received {received}"]
    for position, fields in enumerate(candidates):
        if not isinstance(fields, dict):
            problems.append(
                f"candidates[{position}]: an object is needed; received {_shown(fields)}"
            )
        elif not isinstance(fields.get("id"), str | int | None):
            problems.append(
                f"candidates[{position}].id: a text or an integer is needed; received "
                f"{_shown(fields['id'])}"
            )
    return problems


def _candidate(spec: FeatureSpec, content: Mapping[str, Any]) -> Candidate:
    """Return a candidate. Without an ``id``, its item key among its fields is its id."""
    fields = dict(content)
    identity = fields.get("id")
    if "id" not in spec.fields_of("item"):
        fields.pop("id", None)
    if identity is None and spec.keys.item is not None:
        keys = [
            name
            for name, field in spec.fields_of("item").items()
            if spec.keys.item in (name, field.column)
        ]
        identity = next(
            (fields[key] for key in keys if isinstance(fields.get(key), str | int)), None
        )
    return Candidate(id=identity, fields=fields)


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) < len(pairs):
        names = [name for name, _ in pairs]
        twice = sorted({name for name in names if names.count(name) > 1})
        raise ValueError(f"given twice in one object: {', '.join(map(repr, twice))}")
    return result


def _no_constant(text: str) -> Any:
    raise ValueError(f"{text} is not a valid number; leave a missing one out, or give null")


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 80 else text[:77] + "…"
