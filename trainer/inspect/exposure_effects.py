"""What the values of fields that only training has add to the logits of each task."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import pyarrow.compute as pc
import tensorflow as tf

from feature_spec.artifacts.inspection import ValueEffects
from feature_spec.feature_layout import TOKEN_SEPARATOR, FeatureLayout, Slot, vocabulary_file
from feature_spec.spec import FeatureSpec
from trainer.network.network import AssembledNetwork
from trainer.network.vocabulary import Vocabulary

_MOST_VALUES = 20


def exposure_effects(
    network: AssembledNetwork, spec: FeatureSpec, vocabularies: Mapping[str, Vocabulary]
) -> list[ValueEffects]:
    """Return the effects of the first 20 values of each field, most frequent first.

    An effect is the difference that a value makes to a task's logit where all other such fields are
    unknown.

    Args:
        network: a built network.
        spec: the feature spec.
        vocabularies: the vocabularies that Transform found, by file name. Of a missing one, only
            the buckets of its fields are shown.
    """
    layout = FeatureLayout(spec)
    result = []
    for slot in layout.slots("training"):
        shown = dict(_values(layout, slot, vocabularies))
        effects = _of_rows(network, slot, list(shown.values()))
        result.append(
            ValueEffects(
                field=slot.name,
                values=list(shown),
                effects={
                    task: effects[:, position].tolist()
                    for position, task in enumerate(network.layout.tasks)
                },
            )
        )
    return result


def _values(
    layout: FeatureLayout, slot: Slot, vocabularies: Mapping[str, Vocabulary]
) -> Iterator[tuple[str, int]]:
    """Yield values, or names of buckets, with their rows."""
    if slot.vocabulary is None or vocabulary_file(slot.width) not in vocabularies:
        for bucket in range(min(slot.rows.buckets, _MOST_VALUES)):
            yield f"bucket {bucket + 1} of {slot.rows.buckets}", slot.rows.first_bucket + bucket
        return
    prefix, found = slot.source + TOKEN_SEPARATOR, 0
    for first, lines in vocabularies[vocabulary_file(slot.width)].blocks_of_lines():
        for place in np.flatnonzero(pc.starts_with(lines, prefix.encode()))[: _MOST_VALUES - found]:
            found += 1
            text = lines[int(place)].as_py().decode().rstrip("\n").removeprefix(prefix)
            yield text, first + int(place) + layout.reserved_rows(slot.width)
        if found == _MOST_VALUES:
            return


def _of_rows(network: AssembledNetwork, slot: Slot, rows: list[int]) -> np.ndarray:
    """Return the effects of rows of a field's table, (rows, K)."""
    effects = []
    for tower, embedding in zip(network.exposure_towers, network.embeddings, strict=False):
        unknown, known = [], []
        for one in network.layout.training_only:
            of_missing = embedding.look_up(one.slot.width, tf.constant([one.slot.missing_row]))
            unknown.append(of_missing)
            known.append(
                embedding.look_up(slot.width, tf.constant(rows, tf.int64))
                if one.slot.start == slot.start
                else tf.repeat(of_missing, len(rows), axis=0)
            )
        effects.append(tower.effects(known) - tower.effects(unknown))
    return tf.concat(effects, axis=1).numpy()
