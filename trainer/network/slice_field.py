"""The place of a field of one value, by whose rows examples are told apart in a graph."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from feature_spec.feature_layout import IDS, SIDES, FeatureLayout, InputSide, Slot
from feature_spec.spec import FeatureSpec


class SliceField(NamedTuple):
    """The place of a field whose values make slices, among the transformed features."""

    side: InputSide
    slot: Slot

    def rows(self, features: Mapping[str, Any]) -> Any:
        """Return the row of the field's table that each example has, int64 (B,)."""
        return features[IDS[self.side]][:, self.slot.start]


def slice_field(spec: FeatureSpec, name: str) -> SliceField:
    """Return the place of a field of one value that has an embedding."""
    layout = FeatureLayout(spec)
    places = [SliceField(side, slot) for side in SIDES for slot in layout.slots(side)]
    return next(place for place in places if place.slot.name == name)
