"""Made-up histories for the requests of a load test, whose numbers and lists agree."""

from __future__ import annotations

import random
from collections.abc import Callable

from feature_spec.histories.histories import HistoryCount, HistorySequence
from feature_spec.histories.history_fields import (
    AGE,
    FEEDBACK,
    count_columns,
    sequence_columns,
    side_of,
)
from feature_spec.histories.history_values import age_token, feedback_token
from feature_spec.spec import FeatureSpec
from serving.client.types import FieldValue

_LONGEST_AGE_S = 30 * 86_400
_MOST_EXPOSURES = 300


def random_histories(
    spec: FeatureSpec,
    side: str,
    text: Callable[[str], str],
    missing_share: float,
    draw: random.Random,
) -> dict[str, FieldValue]:
    """Draw the values of the fields of all histories of a side.

    A sum is at most the number of exposures that it counts, and the lists of a sequence are
    aligned. Few keys have many exposures and most have few, as in logs.

    Args:
        spec: the feature spec.
        side: `user`, `context` or `item`.
        text: draws a text of the field of a name.
        missing_share: the share of histories without a key.
        draw: draws the rest.
    """
    row: dict[str, FieldValue] = {}
    if spec.histories is None:
        return row
    for name, count in spec.histories.counts.items():
        if side_of(count.by, spec.fields) == side:
            row |= _count(spec, name, count, draw.random() < missing_share, draw)
    for name, sequence in spec.histories.sequences.items():
        if side_of(sequence.by, spec.fields) == side:
            length = 0 if draw.random() < missing_share else draw.randint(1, sequence.max_length)
            row |= _sequence(name, sequence, length, text, draw)
    return row


def _count(
    spec: FeatureSpec, name: str, count: HistoryCount, is_missing: bool, draw: random.Random
) -> dict[str, FieldValue]:
    row: dict[str, FieldValue] = {}
    for columns in count_columns(name, count, spec.tasks):
        shown = None if is_missing else int(_MOST_EXPOSURES ** draw.random()) - 1
        row[columns.shown] = shown
        for task, total in columns.sums.items():
            seen = shown
            if columns.seen[task] != columns.shown:
                seen = None if shown is None else draw.randint(0, shown)
                row[columns.seen[task]] = seen
            row[total] = None if seen is None else draw.randint(0, seen)
    return row


def _sequence(
    name: str,
    sequence: HistorySequence,
    length: int,
    text: Callable[[str], str],
    draw: random.Random,
) -> dict[str, FieldValue]:
    ages_s = sorted(int(_LONGEST_AGE_S ** draw.random()) for _ in range(length))
    row: dict[str, FieldValue] = {}
    for part, column in sequence_columns(name, sequence).items():
        if part in sequence.fields:
            row[column] = [text(part) for _ in range(length)]
        elif part == AGE:
            row[column] = [age_token(age_s * 1_000_000).decode() for age_s in ages_s]
        elif part == FEEDBACK:
            row[column] = [
                feedback_token(task for task in sequence.feedback if draw.random() < 0.2).decode()
                for _ in range(length)
            ]
    return row
