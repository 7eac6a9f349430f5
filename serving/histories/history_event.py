"""An event of a history store: a line of a log, as logged.

It is an exposure with its feedback; or, of event logs, an impression or an action.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from feature_spec.fields.values import plain_value
from feature_spec.logs.log_values import UnusableLineError, UnusableValue
from feature_spec.logs.logs import RejectionReason

Kind = Literal["exposure", "impression", "action"]
KINDS: tuple[Kind, ...] = ("exposure", "impression", "action")
_KEYS = {"event_id", "kind", "columns", "fields"}


@dataclass(frozen=True, kw_only=True)
class HistoryEvent:
    """A line of a log.

    Attributes:
        columns: the values by column, as logged. A column that is left out is missing.
        fields: values by field of the spec, which win over columns. Fields of side tables that
            histories read must be here; None stands for a missing one.
        kind: the log that the event is a line of. Defaults to the log of exposures or impressions.
        id: an event with an id that the store knows counts no more. By default, the event id of the
            log, or else a hash of the content, so that equal lines count once.
        place: where the line stands, for messages; it is no part of the event.
    """

    columns: Mapping[str, Any]
    fields: Mapping[str, Any] = field(default_factory=dict)
    kind: Kind | None = None
    id: str | None = None
    place: str = field(default="", compare=False)

    @classmethod
    def from_json(cls, text: str | bytes) -> HistoryEvent:
        """Read an event from JSON: ``event_id``, ``kind``, ``columns`` and ``fields``.

        An object without ``columns`` is itself the line of the log.

        Raises:
            UnusableLineError: the text is no such object.
        """
        try:
            content = json.loads(text, object_pairs_hook=_object)
        except (ValueError, RecursionError) as error:
            raise UnusableLineError(RejectionReason.MALFORMED, f"not JSON: {error}") from None
        if not isinstance(content, dict):
            raise malformed(f"an object is needed; received {content!r}")
        if "columns" not in content:
            return cls(columns=content)
        unknown = sorted(content.keys() - _KEYS)
        if unknown:
            raise malformed(f"no such keys: {unknown}; valid are {sorted(_KEYS)}")
        kind, identity = content.get("kind"), content.get("event_id")
        if kind is not None and kind not in KINDS:
            raise malformed(f"kind: one of {', '.join(KINDS)} is needed; received {kind!r}")
        if not isinstance(identity, str | int | None):
            raise malformed(f"event_id: a text or a whole number is needed; received {identity!r}")
        for part in ("columns", "fields"):
            if not isinstance(content.get(part, {}), dict):
                raise malformed(f"{part}: an object is needed; received {content[part]!r}")
        return cls(
            columns=content["columns"],
            fields=content.get("fields", {}),
            kind=kind,
            id=None if identity is None else str(identity),
        )

    def to_json(self) -> str:
        """Return JSON that `from_json` reads."""
        content = {"columns": dict(self.columns), "fields": dict(self.fields)}
        return json.dumps(
            content | {"kind": self.kind, "event_id": self.id}, sort_keys=True, default=_plain
        )


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object, in which no value of a key given twice is taken for the right one."""
    content = dict(pairs)
    if len(content) < len(pairs):
        keys = [key for key, _ in pairs]
        for key in {key for key in keys if keys.count(key) > 1}:
            content[key] = UnusableValue(RejectionReason.MALFORMED, "the column is given twice")
    return content


def _plain(value: Any) -> Any:
    plain = plain_value(value)
    return str(value) if plain is value else plain


def malformed(detail: str) -> UnusableLineError:
    """Return the error of something that is no event."""
    return UnusableLineError(RejectionReason.MALFORMED, detail)
