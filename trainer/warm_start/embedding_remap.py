"""The rows of a new embedding table that a trained one has learnt already.

A vocabulary is ordered by frequency, so from one day to the next nearly every value has another
row, and some come or go.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from feature_spec.feature_layout import PARTS, FeatureLayout, Slot, vocabulary_file
from feature_spec.spec import FeatureSpec
from trainer.network.vocabulary import Vocabulary
from trainer.warm_start.vocabulary_match import match

Indices = npt.NDArray[np.int64]


@dataclass(frozen=True)
class TableRows:
    """The meaning of the rows of all tables.

    Attributes:
        spec: the feature spec, with the fields.
        vocabularies: the vocabularies by file name.
    """

    spec: FeatureSpec
    vocabularies: Mapping[str, Vocabulary]

    @cached_property
    def feature_layout(self) -> FeatureLayout:
        """The layout of the rows."""
        return FeatureLayout(self.spec)

    @cached_property
    def owners(self) -> dict[str, Slot]:
        """The slot of each field that owns rows, by name."""
        return {
            slot.name: slot
            for part in PARTS
            for slot in self.feature_layout.slots(part)
            if slot.source == slot.name
        }

    def vocabulary(self, width: int) -> Vocabulary:
        """Return the vocabulary of the table of `width`, which may be empty."""
        return self.vocabularies.get(vocabulary_file(width)) or Vocabulary.of_entries([])


class RemappedRows(NamedTuple):
    """Rows of the same meaning in two tables, pair by pair.

    Attributes:
        before: rows of the trained table, (N,).
        now: rows of the new table, (N,).
    """

    before: Indices
    now: Indices


def remap_rows(before: TableRows, now: TableRows, width: int) -> RemappedRows:
    """Pair the rows of two tables of `width` that stand for the same.

    A row of a vocabulary moves with its value, and the row of a missing value with its field. So do
    OOV, hash and quantile buckets, if the field has the same kind and number of buckets as before;
    with another number they hold other values. Rows of `now` without a pair are new.
    """
    pairs: list[tuple[int, int]] = []
    for name, slot in now.owners.items():
        earlier = before.owners.get(name)
        if slot.width == width and earlier is not None and earlier.width == width:
            pairs.append((earlier.rows.missing, slot.rows.missing))
            if _buckets(before, earlier) == _buckets(now, slot):
                pairs += [
                    (earlier.rows.first_bucket + bucket, slot.rows.first_bucket + bucket)
                    for bucket in range(slot.rows.buckets)
                ]
    reserved = np.array(pairs, np.int64).reshape(-1, 2)
    entries = match(before.vocabulary(width), now.vocabulary(width))
    return RemappedRows(
        before=np.append(
            reserved[:, 0], entries.before + before.feature_layout.reserved_rows(width)
        ),
        now=np.append(reserved[:, 1], entries.now + now.feature_layout.reserved_rows(width)),
    )


def _buckets(rows: TableRows, slot: Slot) -> tuple[str, bool, int]:
    return rows.spec.fields[slot.name].kind, slot.vocabulary is None, slot.rows.buckets
