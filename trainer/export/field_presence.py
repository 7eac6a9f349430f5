"""The share of training examples that had each field, as transformed examples show it.

A ranking request that leaves out what nearly every example had is served with values that the model
hardly saw; the client asks the export for these shares and warns of it.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from feature_spec.feature_layout import IDS, NUMBERS, SIDES, VECTORS, FeatureLayout
from feature_spec.spec import FeatureSpec

# Examples lie in an order that their content gives by a hash, so the first are as good as any.
_MOST_ROWS = 100_000


def field_presence(
    spec: FeatureSpec, columns: Mapping[str, npt.NDArray[np.generic]]
) -> dict[str, float]:
    """Return the share of examples with a value, by field.

    Fields with a default are left out, and fields of histories, which no request need give. A
    z-scored number that is exactly the mean counts as missing: the two look alike.

    Args:
        spec: the feature spec.
        columns: transformed features by name, (rows, columns) each, sorted by content.
    """
    layout, shares = FeatureLayout(spec), {}
    for side in SIDES:
        for slot in layout.slots(side):
            ids = columns[IDS[side]][:_MOST_ROWS, slot.start : slot.start + slot.length]
            shares[slot.name] = (ids != slot.rows.missing).any(axis=1)
        for position, name in enumerate(layout.numbers(side)):
            shares[name] = columns[NUMBERS[side]][:_MOST_ROWS, position] != 0.0
        first = 0
        for name, field in layout.vectors(side).items():
            shares[name] = ~np.isnan(columns[VECTORS[side]][:_MOST_ROWS, first].astype(np.float32))
            first += field.dimension
    return {
        name: float(present.mean())
        for name, present in shares.items()
        if len(present)
        and spec.fields[name].history is None
        and getattr(spec.fields[name], "default", None) is None
    }
