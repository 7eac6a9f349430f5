"""Content becomes numbered lines within the limit."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from pipeline.ingest.accounting.rejection import Reason
from pipeline.ingest.formats.decompression import UnreadableError
from pipeline.ingest.formats.lines import numbered_lines


def _lines(*chunks: bytes, limit: int = 100) -> list[tuple[int, bytes, Reason | None]]:
    return [
        (number, line, problem and problem.reason)
        for number, line, problem in numbered_lines(chunks, limit)
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

    for _, line, _ in numbered_lines(chunks(), 2000):
        held = max(held, len(line))
    assert held <= 2001


def test_the_line_at_which_content_breaks_off_is_unusable_even_if_it_looks_whole() -> None:
    def chunks() -> Iterator[bytes]:
        yield b"1,2\n3,4"
        raise UnreadableError("the gzip stream is cut off")

    lines = list(numbered_lines(chunks(), 100))
    assert lines[0][:2] == (1, b"1,2")
    number, raw, problem = lines[1]
    assert (number, raw) == (2, b"3,4")
    assert problem is not None
    assert problem.reason == Reason.UNREADABLE
    assert problem.detail == "the gzip stream is cut off; the rest of the file is lost"
