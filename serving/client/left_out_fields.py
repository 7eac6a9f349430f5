"""A warning of requests that leave out fields which nearly every training example had."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING

from feature_spec.spec import FeatureSpec
from serving.client.types import RankingRequest

if TYPE_CHECKING:
    from serving.histories.store import HistoryValues

_log = logging.getLogger(__name__)
# Of the training examples; a field that fewer had may well be missing in a request.
NEARLY_ALL = 0.95


def sides_to_give(spec: FeatureSpec) -> dict[str, str]:
    """Return the side of each field but of parts of the time, which the client fills in itself."""
    return {
        name: field.side
        for name, field in spec.served.fields.items()
        if name not in spec.time_fields
    }


class LeftOutFields:
    """Warns once of the fields that a request leaves out and training nearly always had.

    Args:
        presence: the share of training examples with a value, by field, as the export tells it.
        sides: the side of each field that a request gives (`sides_to_give`).
    """

    def __init__(self, presence: Mapping[str, float], sides: Mapping[str, str]) -> None:
        self._usual = {
            name: share for name, share in presence.items() if share >= NEARLY_ALL and name in sides
        }
        self._sides = sides
        self._lock = threading.Lock()
        self._has_warned = not self._usual

    def look_at(self, request: RankingRequest, histories: HistoryValues | None) -> None:
        """Warn if no user, context or candidate of a request has a usual field of its side."""
        if self._has_warned:
            return
        given = {
            "user": {*request.user, *(histories.user if histories else ())},
            "context": {*request.context, *(histories.context if histories else ())},
            "item": {
                *(name for candidate in request.candidates for name in candidate.fields),
                *(histories.items if histories else ()),
            },
        }
        left_out = [
            f"{name} ({share:.0%})"
            for name, share in self._usual.items()
            if name not in given[self._sides[name]]
        ]
        if not left_out:
            return
        with self._lock:
            if self._has_warned:
                return
            self._has_warned = True
        _log.warning(
            "a request leaves out fields that nearly every training example had: %s; the model "
            "takes them for missing, which it has hardly seen. Give them, or let the client fill "
            "them in from side tables (tables=..., or fulcrum rank --tables). Further requests are "
            "not mentioned",
            ", ".join(left_out),
        )
