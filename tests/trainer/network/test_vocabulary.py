"""Vocabularies are counted and read in blocks, whatever their entries hold."""

from __future__ import annotations

import io
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.network import vocabulary as vocabulary_file
from trainer.network.vocabulary import Vocabulary

# Transform leaves values with line breaks out; all other bytes may occur.
ENTRIES = st.lists(st.binary(min_size=1).filter(lambda entry: b"\n" not in entry))


@given(ENTRIES, st.integers(1, 7), st.booleans())
def test_entries_are_counted_and_read_whatever_the_size_of_a_block(entries, block, is_ended):
    text = b"\n".join(entries) + b"\n" * (is_ended and bool(entries))
    vocabulary = Vocabulary(lambda: io.BytesIO(text))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(vocabulary_file, "_BLOCK_BYTES", block)
        blocks = list(vocabulary.blocks())
        lines = vocabulary.lines().to_pylist()
        of_blocks = list(vocabulary.blocks_of_lines())
        assert len(vocabulary) == len(entries)
    assert b"".join(blocks) == b"".join(entry + b"\n" for entry in entries)
    assert all(one.endswith(b"\n") for one in blocks)
    assert lines == [entry + b"\n" for entry in entries]
    places = [place for place, _ in of_blocks]
    assert places == [sum(len(some) for _, some in of_blocks[:n]) for n in range(len(of_blocks))]


@pytest.mark.tensorflow
def test_a_vocabulary_is_counted_without_being_held(tmp_path):
    pytest.importorskip("tensorflow")
    file = tmp_path / "vocabulary_16"
    file.write_bytes(b"item\x1fabcdefgh\n" * 4_000_000)  # 56 MB
    vocabulary = Vocabulary.of_file(str(file))
    tracemalloc.start()
    try:
        assert len(vocabulary) == 4_000_000
        # A block and its parts; as Python objects the entries would take 200 MB.
        assert tracemalloc.get_traced_memory()[1] < 30e6
    finally:
        tracemalloc.stop()
