"""The values of a field as texts, by their rows in an embedding table."""

from __future__ import annotations

from collections.abc import Mapping

from feature_spec.feature_layout import TOKEN_SEPARATOR, FeatureLayout, Slot, vocabulary_file
from feature_spec.sections import MISSING
from feature_spec.spec import FeatureSpec
from trainer.network.vocabulary import Vocabulary


def slice_names(
    spec: FeatureSpec, slot: Slot, vocabularies: Mapping[str, Vocabulary]
) -> dict[int, str]:
    """Return the texts of a field's values by row.

    A row that several values share is `other`, with a number if there are several, or `bucket` with
    a number where all values share rows.

    Args:
        spec: the feature spec.
        slot: the field's place.
        vocabularies: the vocabularies that Transform found, by file name.
    """
    shared = "other" if slot.vocabulary else "bucket"
    rows = {slot.rows.missing: MISSING}
    for number in range(slot.rows.buckets):
        alone = slot.vocabulary is not None and slot.rows.buckets == 1
        rows[slot.rows.first_bucket + number] = shared if alone else f"{shared} {number}"
    if slot.vocabulary is None or vocabulary_file(slot.width) not in vocabularies:
        return rows
    first = FeatureLayout(spec).reserved_rows(slot.width)
    prefix = (slot.source + TOKEN_SEPARATOR).encode()
    for begin, lines in vocabularies[vocabulary_file(slot.width)].blocks_of_lines():
        for place, line in enumerate(lines.to_pylist(), begin + first):
            if line.startswith(prefix):
                rows[place] = line[len(prefix) :].rstrip(b"\n").decode(errors="replace")
    return rows
