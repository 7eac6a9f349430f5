"""Equal entries of two vocabularies find each other, and only these."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.network import vocabulary as vocabulary_file
from trainer.network.vocabulary import Vocabulary
from trainer.warm_start import vocabulary_match
from trainer.warm_start.vocabulary_match import hashes_of, match

ENTRY = st.one_of(
    st.text("ab", min_size=1, max_size=4).map(str.encode),
    st.binary(min_size=1, max_size=12),
).filter(lambda entry: b"\n" not in entry)
ENTRIES = st.lists(ENTRY, unique=True, max_size=30)


def pairs_of(before, now):
    """The pairs of places by hand."""
    places = {entry: place for place, entry in enumerate(before)}
    return [(places[entry], place) for place, entry in enumerate(now) if entry in places]


def found(before, now):
    matches = match(Vocabulary.of_entries(before), Vocabulary.of_entries(now))
    return list(zip(matches.before.tolist(), matches.now.tolist(), strict=True))


@given(ENTRIES, ENTRIES, st.integers(1, 40))
def test_equal_entries_are_paired_in_order(before, now, block):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(vocabulary_file, "_BLOCK_BYTES", block)
        patch.setattr(vocabulary_match, "_HASHED", 3)
        assert found(before, now) == pairs_of(before, now)


@given(ENTRIES, ENTRIES, st.integers(0, 3))
def test_entries_of_one_hash_are_told_apart_by_their_values(before, now, factors):
    # Few factors that are equal, or zero, give many entries one hash.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(vocabulary_match, "_FACTORS", np.full(2, factors, np.uint64))
        assert found(before, now) == pairs_of(before, now)


def test_entries_longer_than_the_factors_are_paired():
    long = [bytes([letter]) * 10_000 for letter in b"abc"]
    assert found(long, [*long[::-1], long[0] + b"x"]) == [(2, 0), (1, 1), (0, 2)]


def test_hashes_of_many_entries_differ():
    entries = (b"item\x1f%d" % number for number in range(200_000))
    assert len(np.unique(hashes_of(Vocabulary.of_entries(entries).lines()))) == 200_000
