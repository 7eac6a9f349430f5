"""A record's value is read as ingestion reads it: the same values, and the same reasons for none."""

from __future__ import annotations

import pytest

from feature_spec.logs.log_values import UnusableLineError
from feature_spec.logs.source import Source
from pipeline.ingest.sources.record_source import RecordChunk
from serving.histories.reading.record_events import event_of_value

KAFKA = {"bootstrap_servers": "kafka:9092", "topics": ["t"], "by_day": True}
JSON = [
    None, b"", b"  ", b"\n", b'{"a": 1, "b": "x"}', b'{"a": 1, "b": "x"}\r\n', b'\xef\xbb\xbf{"a": 1}',
    b"[1]", b"not JSON", b'{"a": 1}\n{"a": 2}', b'{"a": "\xff"}', b'{"a": NaN}', b'{"a":' + b"1" * 99,
    '{"b": "é"}'.encode(), '{"b": "é"}'.encode("latin-1"), '{"b": "é"}'.encode("utf-16"),
]  # fmt: skip
CSV = [
    None, b"", b" ", b"1,x", b" 1 , x ", b'"1","x, y"', b'"1","x\ny"', b"1", b"1,2,3", b"1,x\n2,y",
    b'"1","x', b"1,\xff", "1,é".encode("utf-16"), b"1,x\r\n", b'1, "x" ', b"1," + b"x" * 99,
]  # fmt: skip


def by_ingestion(value, source, max_line_bytes):
    (batch,) = RecordChunk("kafka:t/0", [0], [value]).batches(source, max_line_bytes)
    if batch.unusable:
        return str(batch.unusable[0][2].reason)
    return {
        name: column[0]
        for name in ("a", "b")
        if (column := batch.rows.column(name)) and column[0] is not None
    }


def by_following(value, source, max_line_bytes):
    try:
        return dict(event_of_value(value, source, max_line_bytes).columns)
    except UnusableLineError as error:
        return str(error.reason)


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
@pytest.mark.parametrize("value", JSON)
def test_json_as_by_ingestion(value, encoding):
    source = Source(format="jsonl", encoding=encoding, kafka=KAFKA)
    assert repr(by_following(value, source, 100)) == repr(by_ingestion(value, source, 100))


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
@pytest.mark.parametrize("value", CSV)
def test_csv_as_by_ingestion(value, encoding):
    source = Source(format="csv", columns=["a", "b"], encoding=encoding, kafka=KAFKA)
    assert by_following(value, source, 100) == by_ingestion(value, source, 100)


@pytest.mark.parametrize("line", ['{"a": 1, "b": "é"}', " ", "[1]", '{"b": "\n"}', '{"a": 1}\n{}'])
def test_utf_16_as_by_ingestion(line):
    source = Source(format="jsonl", encoding="utf-16", kafka=KAFKA)
    value = line.encode("utf-16")
    assert by_following(value, source, 100) == by_ingestion(value, source, 100)
    without_mark = line.encode("utf-16-le")
    assert by_following(without_mark, source, 100) == by_ingestion(without_mark, source, 100)
