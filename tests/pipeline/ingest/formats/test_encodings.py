"""Text in other encodings than UTF-8; a wrong byte costs its line and is named."""

from __future__ import annotations

import gzip
import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from feature_spec.logs.source import Source
from pipeline.ingest.accounting.rejection import Reason, UnusableLineError
from pipeline.ingest.formats.encodings import utf8_chunks, utf8_content
from pipeline.ingest.formats.readers import READERS, StoredFile
from pipeline.ingest.sources.record_source import RecordChunk


def _read(content: bytes, encoding: str, kind: str = "csv", name: str = "a") -> list[Any]:
    """Number and record, or reason and detail, of each line."""
    columns = ["id", "title"] if kind == "csv" else None
    given = {"columns": columns} if columns else {}
    source = Source(path=["a"], format=kind, encoding=encoding, **given)
    file = StoredFile(io.BytesIO(content), name, source, 1000)
    return [
        (number, (record.reason, record.detail))
        if isinstance(record, UnusableLineError)
        else (number, record)
        for batch in READERS[kind].batches(file)
        for number, _, record in batch.lines()
    ]


@pytest.mark.parametrize(
    "encoding", ["latin-1", "cp1252", "utf-16", "utf-16-le", "utf-32", "cp500"]
)
@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_lines_of_any_encoding_are_read(encoding: str, kind: str) -> None:
    records = [{"id": "1", "title": "Léon"}, {"id": "2", "title": "naïve, ½"}]
    lines = (
        [f'{one["id"]},"{one["title"]}"' for one in records]
        if kind == "csv"
        else [json.dumps(one, ensure_ascii=False) for one in records]
    )
    content = "\r\n".join(lines).encode(encoding)
    assert _read(content, encoding, kind) == [(1, records[0]), (2, records[1])]
    assert _read(gzip.compress(content), encoding, kind, "a.gz") == _read(content, encoding, kind)


def test_a_wrong_byte_is_a_rejected_line_that_names_the_place() -> None:
    # cp1252 has no character for the byte 81.
    content = b"1,caf\xe9\n2,\xe9\x81\n3,ok\n"
    assert _read(content, "cp1252") == [
        (1, {"id": "1", "title": "café"}),
        (2, (Reason.WRONG_ENCODING, "not cp1252: byte 0x81 as character 4")),
        (3, {"id": "3", "title": "ok"}),
    ]


def test_wrong_bytes_that_together_are_utf_8_are_wrong_all_the_same() -> None:
    # In ASCII neither byte is a character; as UTF-8 they would be é.
    assert _read(b"1,\xc3\xa9\n", "ascii") == [
        (1, (Reason.WRONG_ENCODING, "not ascii: byte 0xc3 as character 3"))
    ]


def test_a_wrong_byte_of_utf_8_is_told_as_before() -> None:
    assert _read(b"1,caf\xe9\n", "utf-8") == [
        (1, (Reason.WRONG_ENCODING, "not UTF-8: byte 0xe9 at 5"))
    ]


@given(st.text(st.characters(codec="gb18030"), max_size=40), st.integers(1, 7))
def test_chunks_may_end_within_a_character(text: str, size: int) -> None:
    content = text.encode("gb18030")
    chunks = [content[at : at + size] for at in range(0, len(content), size)]
    assert b"".join(utf8_chunks(chunks, "gb18030")) == text.encode()
    assert utf8_content(content, "gb18030") == text.encode()


def test_records_of_a_topic_are_read_in_the_encoding_of_their_source() -> None:
    topics = {"topics": ["t"], "bootstrap_servers": "h:1", "max_num_records": 2}
    source = Source.model_validate(
        {"kafka": topics, "format": "csv", "columns": ["title"], "encoding": "latin-1"}
    )
    (batch,) = RecordChunk("t", [7], [b"L\xe9on"]).batches(source, 1000)
    assert batch.rows.records() == [{"title": "Léon"}]


def test_a_record_without_the_byte_order_of_utf_16_is_rejected_and_the_others_are_read() -> None:
    topics = {"bootstrap_servers": "k:9092", "topics": ["shown"], "max_num_records": 1}
    source = Source.model_validate(
        {"kafka": topics, "format": "csv", "columns": ["title"], "encoding": "utf-16"}
    )
    values = ["a".encode("utf-16"), "b".encode("utf-16-le"), "c".encode("utf-16")]
    [batch] = RecordChunk("kafka:shown/0", [7, 8, 9], values).batches(source, 100)
    assert batch.numbers == [7, 9]
    [(number, raw, problem)] = batch.unusable
    assert (number, raw, str(problem.reason)) == (8, b"b\x00", "wrong_encoding")
    assert "not utf-16: UTF-16 stream does not start with BOM" in str(problem)


def test_a_file_without_the_byte_order_of_utf_16_is_one_unreadable_line() -> None:
    content = "title\nfilm\n".encode("utf-16-le")
    [(number, (reason, detail))] = _read(content, "utf-16", "jsonl")
    assert (number, reason) == (1, Reason.UNREADABLE)
    assert "does not start with BOM" in detail


def test_an_unknown_encoding_is_refused_with_examples() -> None:
    for encoding in ("latin-99", "hex"):
        with pytest.raises(
            ValidationError, match="give one that Python knows, such as 'utf-8', 'lat"
        ):
            Source(path=["a"], format="csv", encoding=encoding)


def test_an_encoding_of_a_format_without_text_is_refused() -> None:
    with pytest.raises(ValidationError, match="only has an effect with the formats 'csv' and 'jso"):
        Source(path=["a"], format="parquet", encoding="latin-1")
