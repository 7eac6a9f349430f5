"""Stored bytes become content, as far as they can be read, and numbered lines within the limit."""

from __future__ import annotations

import bz2
import gzip
import io
import random
from collections.abc import Iterable, Iterator

import pytest

from pipeline.ingest.accounting.rejection import Reason, UnusableLineError
from pipeline.ingest.formats.file_content import UnreadableError, content_chunks, line_batches

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


def _numbered(
    chunks: Iterable[bytes], limit: int
) -> Iterator[tuple[int, bytes, UnusableLineError | None]]:
    for first, lines, unusable in line_batches(chunks, limit):
        for position, line in enumerate(lines):
            yield first + position, line, unusable.get(position)


def _lines(*chunks: bytes, limit: int = 100) -> list[tuple[int, bytes, Reason | None]]:
    return [
        (number, line, problem and problem.reason)
        for number, line, problem in _numbered(chunks, limit)
    ]


@pytest.mark.parametrize("chunks", [(b"a\nbc\nd",), (b"a", b"\nb", b"c\n", b"d"), (b"a\nbc\nd\n",)])
def test_lines_do_not_depend_on_chunks_nor_on_a_last_line_end(chunks: tuple[bytes, ...]) -> None:
    assert _lines(*chunks) == [(1, b"a", None), (2, b"bc", None), (3, b"d", None)]


def test_no_content_has_no_lines() -> None:
    assert _lines() == _lines(b"") == []


def test_an_empty_line_is_a_line() -> None:
    assert _lines(b"a\n\nb\n") == [(1, b"a", None), (2, b"", None), (3, b"b", None)]


def test_a_carriage_return_before_the_line_feed_is_no_content() -> None:
    assert _lines(b"a\r\nb\rc\r\n") == [(1, b"a", None), (2, b"b\rc", None)]


def test_a_byte_order_mark_is_dropped_from_the_first_line_only() -> None:
    assert _lines(b"\xef\xbb\xbfa\n\xef\xbb\xbfb") == [(1, b"a", None), (2, b"\xef\xbb\xbfb", None)]


def test_other_separators_do_not_end_a_line() -> None:
    assert len(_lines("a\u2028b\x0bc\x85d".encode())) == 1


@pytest.mark.parametrize("chunk_size", [1, 7, 64, 1000])
def test_a_line_beyond_the_limit_is_unusable_and_the_next_one_is_not(chunk_size: int) -> None:
    content = b"x" * 10 + b"\n" + b"y" * 11 + b"\n" + b"z" * 500 + b"\n" + b"end"
    chunks = [content[at : at + chunk_size] for at in range(0, len(content), chunk_size)]
    lines = _lines(*chunks, limit=10)
    assert [(number, reason) for number, _, reason in lines] == [
        (1, None), (2, Reason.LINE_TOO_LONG), (3, Reason.LINE_TOO_LONG), (4, None),
    ]  # fmt: skip
    assert lines[3][1] == b"end"


def test_a_huge_line_is_not_held_in_memory() -> None:
    held = 0

    def chunks() -> Iterator[bytes]:
        for _ in range(1000):
            yield b"x" * 1000

    for _, line, _ in _numbered(chunks(), 2000):
        held = max(held, len(line))
    assert held <= 2001


def test_the_line_at_which_content_breaks_off_is_unusable_even_if_it_looks_whole() -> None:
    def chunks() -> Iterator[bytes]:
        yield b"1,2\n3,4"
        raise UnreadableError("the gzip stream is cut off")

    lines = list(_numbered(chunks(), 100))
    assert lines[0][:2] == (1, b"1,2")
    number, raw, problem = lines[1]
    assert (number, raw) == (2, b"3,4")
    assert problem is not None
    assert problem.reason == Reason.UNREADABLE
    assert problem.detail == "the gzip stream is cut off; the rest of the file is lost"
