"""Stored bytes become content, as far as they can be read."""

from __future__ import annotations

import bz2
import gzip
import io
import random

import pytest

from pipeline.ingest.formats.decompression import UnreadableError, content_chunks

CONTENT = random.Random(0).randbytes(300_000)


def _content(stored: bytes, name: str) -> bytes:
    return b"".join(content_chunks(io.BytesIO(stored), name))


@pytest.mark.parametrize(
    ("name", "compress"),
    [("a.csv", bytes), ("a.csv.gz", gzip.compress), ("a.csv.bz2", bz2.compress)],
)
def test_content_comes_back_whole(name: str, compress) -> None:
    assert _content(compress(CONTENT), name) == CONTENT


@pytest.mark.parametrize(("name", "compress"), [("a.gz", gzip.compress), ("a.bz2", bz2.compress)])
def test_streams_one_behind_the_other_are_one_content(name: str, compress) -> None:
    assert _content(compress(CONTENT) + compress(b"more"), name) == CONTENT + b"more"


def test_zeros_that_pad_the_end_are_no_content() -> None:
    assert _content(gzip.compress(b"text") + bytes(10_000), "a.gz") == b"text"


def test_an_empty_file_has_no_content() -> None:
    assert _content(b"", "a.gz") == b""


@pytest.mark.parametrize(("name", "compress"), [("a.gz", gzip.compress), ("a.bz2", bz2.compress)])
def test_a_stream_cut_in_half_gives_what_was_read_then_fails(name: str, compress) -> None:
    content = b"".join(b"line %d\n" % number for number in range(400_000))
    stored = compress(content)
    read = []
    with pytest.raises(UnreadableError, match="stream is cut off"):
        read.extend(content_chunks(io.BytesIO(stored[: len(stored) // 2]), name))
    # Half of the stored bytes hold about half of the content; bzip2 works in blocks of up to 900
    # kB.
    assert 0.2 * len(content) < len(b"".join(read)) < len(content)
    assert content.startswith(b"".join(read))


def test_a_damaged_stream_gives_what_came_before_the_damage() -> None:
    stored = bytearray(gzip.compress(CONTENT))
    stored[200_000:200_100] = bytes(100)
    read = []
    with pytest.raises(UnreadableError, match="stream is"):
        read.extend(content_chunks(io.BytesIO(bytes(stored)), "a.gz"))
    assert b"".join(read)[:190_000] == CONTENT[:190_000]


def test_a_file_that_is_no_gzip_fails() -> None:
    with pytest.raises(UnreadableError, match="gzip stream is damaged: .*incorrect header"):
        _content(b"plain text", "a.gz")


def test_a_failing_disk_is_an_unreadable_file() -> None:
    class Failing(io.RawIOBase):
        def read(self, size: int = -1) -> bytes:
            raise OSError(5, "Input/output error")

    with pytest.raises(UnreadableError, match="Input/output error"):
        list(content_chunks(Failing(), "a.csv"))
