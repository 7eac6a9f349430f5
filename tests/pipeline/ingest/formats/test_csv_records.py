"""Records of CSV: text inside quotes is the text of a value, however much it looks like a record."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feature_spec.logs.source import Source
from pipeline.ingest.accounting.rejection import Reason
from pipeline.ingest.formats.csv_records import CsvBatch, csv_batches
from pipeline.ingest.formats.file_content import UnreadableError
from pipeline.ingest.formats.record_batch import RecordBatch
from pipeline.ingest.formats.text_formats import csv_row_batches
from pipeline.ingest.sources.files import LogFile


def _batches(chunks: Iterable[bytes], limit: int = 1000, delimiter: str = ",") -> list[CsvBatch]:
    return list(csv_batches(chunks, delimiter, limit))


def _records(
    *chunks: bytes, limit: int = 1000, delimiter: str = ","
) -> list[tuple[int, bytes, Reason | None]]:
    return [
        (number, record, batch.unusable[at].reason if at in batch.unusable else None)
        for batch in _batches(chunks, limit, delimiter)
        for at, (number, record) in enumerate(zip(batch.numbers, batch.records, strict=True))
    ]


def _rows(content: bytes, columns: list[str]) -> list[RecordBatch]:
    source = Source(path=["*"], format="csv", columns=columns)
    return list(csv_row_batches(csv_batches([content], ",", 1000), source))


def test_a_value_of_several_lines_is_one_record_with_the_number_of_its_first_line() -> None:
    content = b'a,1,"nice\nr666,u666,injected\nbye"\nb,2,ok\n'
    assert _records(content) == [
        (1, b'a,1,"nice\nr666,u666,injected\nbye"', None),
        (4, b"b,2,ok", None),
    ]


@pytest.mark.parametrize(
    "record",
    [
        b'"a\nx,y\nb",1',
        b'"a ""q"" \nx,y\nb",1',
        b'1, "a\nx,y",2',
        b'"""\nx,y\n""",1',
        b'"a\nx,y","b\nx,y"',
        b'"a\n\n\nx,y\n",1',
        # Not CSV, but still text that somebody typed; these are rejected as a whole.
        b'1,"nice "quoted" text\nx,y\nbye"',
        b'"a" b "\nx,y\n"',
        b'"a"b"c"d"\nx,y"',
    ],
)
@pytest.mark.parametrize("chunk_size", [1, 3, 1000])
def test_no_line_within_quotes_is_a_record(record: bytes, chunk_size: int) -> None:
    content = b"before,0\n" + record + b"\nafter,0\n"
    chunks = [content[at : at + chunk_size] for at in range(0, len(content), chunk_size)]
    assert [one for _, one, _ in _records(*chunks)] == [b"before,0", record, b"after,0"]


@pytest.mark.parametrize("line", [b'5" screen,1', b'a,5" b,c', b'x"y"z"', b"'a,b", b'a b"'])
def test_a_quote_within_a_value_without_quotes_opens_nothing(line: bytes) -> None:
    assert _records(line + b"\nafter,0\n") == [(1, line, None), (2, b"after,0", None)]


def test_line_breaks_of_a_value_stay_as_they_are() -> None:
    assert _records(b'"a\r\nb\rc",1\r\n2,3\r\n') == [(1, b'"a\r\nb\rc",1', None), (3, b"2,3", None)]


def test_a_byte_order_mark_hides_no_quote() -> None:
    assert _records(b'\xef\xbb\xbf"a\nb",1\n2,3') == [(1, b'"a\nb",1', None), (3, b"2,3", None)]


def test_a_quote_never_closed_takes_the_rest_of_the_file_and_no_memory() -> None:
    held = 0

    def chunks() -> Iterator[bytes]:
        yield b'a,1\nb,"open,2\n'
        for _ in range(1000):
            yield b"x,y,z\n" * 100

    (batch,) = _batches(chunks(), limit=2000)
    held = max(map(len, batch.records))
    assert (batch.numbers, batch.records[0], list(batch.unusable)) == ([1, 2], b"a,1", [1])
    assert batch.unusable[1].reason == Reason.UNREADABLE
    assert "the rest of the file, 100,001 lines, is lost" in batch.unusable[1].detail
    assert held <= 500


def test_a_quote_not_closed_in_the_last_line_is_malformed_as_in_any_line() -> None:
    (batch,) = _rows(b'1,2\n3,"open', ["a", "b"])
    assert [(number, problem.reason) for number, _, problem in batch.unusable] == [
        (2, Reason.MALFORMED)
    ]


@pytest.mark.parametrize("chunk_size", [1, 7, 64, 1000])
def test_a_record_beyond_the_limit_is_one_rejected_record_up_to_its_closing_quote(
    chunk_size: int,
) -> None:
    long_lines = b'1,"' + b"x" * 50 + b'""' * 20 + b"\nx,y\n" + b"z\n" * 40 + b'"\n'
    content = b"a,b\n" + long_lines + b'2,"' + b"w" * 60 + b'"\nc,d\n'
    chunks = [content[at : at + chunk_size] for at in range(0, len(content), chunk_size)]
    records = _records(*chunks, limit=40)
    assert [(number, reason) for number, _, reason in records] == [
        (1, None), (2, Reason.LINE_TOO_LONG), (45, Reason.LINE_TOO_LONG), (46, None),
    ]  # fmt: skip
    assert records[3][1] == b"c,d"


def test_content_that_breaks_off_within_quotes_makes_that_record_unreadable() -> None:
    def chunks() -> Iterator[bytes]:
        yield b'1,2\n3,"a\nx,y\n'
        raise UnreadableError("the gzip stream is cut off")

    (batch,) = _batches(chunks())
    assert (batch.numbers, {at: one.reason for at, one in batch.unusable.items()}) == (
        [1, 2],
        {1: Reason.UNREADABLE},
    )


@given(st.binary().map(lambda line: bytes(b'",\n\r a'[byte % 6] for byte in line)))
def test_many_lines_are_split_as_one_by_one(content: bytes) -> None:
    # Chunks of one byte take the way of single lines.
    assert _records(b"x\n" + content) == _records(*(bytes([byte]) for byte in b"x\n" + content))


TEXTS = st.text(st.sampled_from('ab",;\n é'), max_size=8)


@given(
    st.lists(st.lists(TEXTS, min_size=2, max_size=3), min_size=1, max_size=6),
    st.integers(1, 20),
    st.sampled_from(["\n", "\r\n"]),
    st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL]),
    st.sampled_from([",", ";"]),
)
def test_records_are_those_that_were_written(
    rows: list[list[str]], size: int, end: str, quoting: int, delimiter: str
) -> None:
    # White space around a value is dropped, so that a space before a quote does not hide it.
    rows = [[value.strip() for value in row] for row in rows]
    written = io.StringIO(newline="")
    csv.writer(written, lineterminator=end, quoting=quoting, delimiter=delimiter).writerows(rows)  # type: ignore[arg-type]
    content = written.getvalue().encode()
    chunks = [content[at : at + size] for at in range(0, len(content), size)]
    records = [record.decode() for _, record, _ in _records(*chunks, delimiter=delimiter)]
    assert [
        next(csv.reader([record], delimiter=delimiter)) if record else [""] for record in records
    ] == [row if any(row) or len(row) > 1 else [""] for row in rows]


@given(st.text(st.sampled_from('ab",\n\r '), max_size=30))
def test_what_a_user_typed_never_becomes_a_record(typed: str) -> None:
    written = io.StringIO(newline="")
    rows = [["r1", "u1", "before"], ["r2", "u2", typed], ["r3", "u3", "after"]]
    csv.writer(written, lineterminator="\n").writerows(rows)
    (batch,) = _rows(written.getvalue().encode(), ["request", "user", "comment"])
    assert batch.unusable == []
    assert [record["request"] for record in batch.rows.records()] == ["r1", "r2", "r3"]
    assert batch.rows.records()[1]["comment"] == typed.strip()


def test_rows_whose_line_breaks_fall_in_other_columns_are_not_equal() -> None:
    (batch,) = _rows(b'"a\nb",c\na,"b\nc"\n"a\nb",c\n', ["x", "y"])
    one, other, again = batch.rows.digests({})
    assert one != other
    assert one == again


def test_a_quoted_header_may_span_lines(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_bytes(b'"a","b\nc"\n1,2\n')
    file = LogFile(str(path), path.name, path.stat().st_size)
    (batch,) = file.batches(Source(path=["*"], format="csv"), max_line_bytes=100)
    assert (batch.numbers, batch.rows.records()) == ([3], [{"a": "1", "b\nc": "2"}])
