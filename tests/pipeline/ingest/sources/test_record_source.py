"""Chunks of a connector are read as the lines of files are, and named so that they are found again."""

from __future__ import annotations

import datetime
import decimal
import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from feature_spec.logs.source import Source
from pipeline.ingest.formats.csv_records import ends_in_quotes
from pipeline.ingest.formats.record_batch import Problems
from pipeline.ingest.labelling.value_readers import TextReader
from pipeline.ingest.sources.files import InputFiles, LogFile
from pipeline.ingest.sources.record_source import (
    RecordChunk,
    RecordSource,
    TopicPartitions,
    source_names,
)

NO_FILES = InputFiles(sources={None: [], "users": []}, evaluation=frozenset())
KAFKA = {"bootstrap_servers": "k:9092", "topics": ["shown"], "max_num_records": 1}
JSON = Source.model_validate({"kafka": KAFKA, "format": "jsonl"})
CSV = Source.model_validate({"kafka": KAFKA, "format": "csv", "columns": ["a", "b"]})
ROWS = Source.model_validate({"bigquery": {"table": "acme.d.shown"}})


def _read(
    received: RecordSource, source: Source
) -> tuple[dict[int, Any], dict[int, tuple[bytes, str]]]:
    """Records, and line and reason of what is none, by offset."""
    records: dict[int, Any] = {}
    unusable = {}
    for batch in received.batches(source, max_line_bytes=100):
        records |= dict(zip(batch.numbers, batch.rows.records(), strict=True))
        unusable |= {number: (raw, str(problem.reason)) for number, raw, problem in batch.unusable}
    return records, unusable


_LINES = st.lists(
    st.one_of(
        st.dictionaries(st.sampled_from("ab"), st.integers() | st.text(max_size=3), max_size=2)
        .map(json.dumps)
        .map(str.encode),
        st.binary(max_size=120).filter(lambda line: not set(line) & set(b"\r\n")),
        st.just(b'"a",1'),
    ),
    min_size=1,
    max_size=20,
)


@pytest.mark.parametrize("source", [JSON, CSV])
@given(lines=_LINES)
def test_a_record_of_kafka_is_what_the_line_of_a_file_is(
    source: Source, lines: list[bytes]
) -> None:
    # What a byte order mark at the start of a file is, it is not at the start of each record.
    lines = [b" " + line for line in lines]
    # A line of a file may go on within quotes; a record of Kafka ends.
    assume(source is JSON or not any(ends_in_quotes(line, b",", False) for line in lines))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "log"
        path.write_bytes(b"".join(line + b"\n" for line in lines))
        file = LogFile(str(path), "log", path.stat().st_size)
        by_file = _read(file, source.model_copy(update={"kafka": None, "path": ["log"]}))  # type: ignore[arg-type]
    offsets = list(range(1, len(lines) + 1))
    assert _read(RecordChunk("kafka:shown/0", offsets, lines), source) == by_file


def test_each_record_keeps_the_offset_that_kafka_gave_it() -> None:
    received = RecordChunk("kafka:shown/0", [7, 900, 12], [b'{"a": 1}', b"no json", b'{"a": 2}\n'])
    assert _read(received, JSON) == ({7: {"a": 1}, 12: {"a": 2}}, {900: (b"no json", "malformed")})


def test_many_records_are_read_in_batches_that_keep_their_offsets() -> None:
    offsets = list(range(10, 5010, 2))
    received = RecordChunk(
        "kafka:shown/0", offsets, [json.dumps({"a": offset}).encode() for offset in offsets]
    )
    records, _ = _read(received, JSON)
    assert records == {offset: {"a": offset} for offset in offsets}


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, "empty_line"),
        (b"", "empty_line"),
        (b"x" * 101, "line_too_long"),
        (b"1,2\n3,4", "malformed"),
    ],
)
def test_a_value_that_is_not_one_line_is_rejected(value: bytes | None, reason: str) -> None:
    records, unusable = _read(RecordChunk("kafka:shown/0", [5], [value]), CSV)
    assert records == {}
    assert unusable[5][1] == reason


def test_a_record_of_kafka_may_hold_a_value_of_several_lines() -> None:
    chunk = RecordChunk("kafka:shown/0", [5, 6], [b'1,"a\nx,y"', b"3,4"])
    records, unusable = _read(chunk, CSV)
    assert (records, unusable) == ({5: {"a": "1", "b": "a\nx,y"}, 6: {"a": "3", "b": "4"}}, {})


def test_values_of_bigquery_are_as_json_would_have_them() -> None:
    shown_at = datetime.datetime(2022, 5, 1, 12, tzinfo=datetime.UTC)
    rows = [
        {
            "a": shown_at,
            "b": decimal.Decimal("1.5"),
            "c": ["x", "y"],
            "d": None,
            "e": {"f": datetime.date(2022, 5, 1)},
        },
        {"a": b"\xff"},
    ]
    received = RecordChunk("bigquery:acme.d.shown", [0, 0], rows)
    (batch,) = received.batches(ROWS, max_line_bytes=100)
    assert batch.rows.records() == [
        {
            "a": "2022-05-01T12:00:00+00:00",
            "b": 1.5,
            "c": ["x", "y"],
            "d": None,
            "e": {"f": "2022-05-01"},
        },
        # No reader takes the half of a surrogate pair that stands for the byte.
        {"a": "\udcff"},
    ]
    assert json.loads(batch.raws[0]) == batch.rows.records()[0]
    problems: Problems = {}
    TextReader("a", [""])(batch.rows.column("a"), problems)
    assert {at: str(problem.reason) for at, problem in problems.items()} == {1: "wrong_encoding"}


def test_a_table_without_rows_is_a_batch_without_rows() -> None:
    (batch,) = RecordChunk("bigquery:acme.d.users", [], []).batches(ROWS, max_line_bytes=100)
    assert (batch.numbers, len(batch.rows), batch.unusable) == ([], 0, [])


def test_every_partition_of_every_topic_has_a_number_and_a_name_of_its_own() -> None:
    partitions = TopicPartitions(["shown", "again"])
    numbers = {
        partitions.number(topic, partition): f"kafka:{topic}/{partition}"
        for topic in ("shown", "again")
        for partition in (0, 1, 2, 9_999)
    }
    assert len(numbers) == 8
    assert {number: partitions[number] for number in numbers} == numbers


def test_a_table_is_named_by_itself_and_a_query_by_its_place_in_the_spec(tiny) -> None:
    table = tiny.settings(logs__exposures={"bigquery": {"table": "acme.d.shown"}})
    query = tiny.settings(logs__tables__users={"bigquery": {"query": "SELECT 1"}, "key": "user_id"})
    assert source_names(table, NO_FILES, None) == ["bigquery:acme.d.shown"]
    assert source_names(query, NO_FILES, "users") == ["bigquery:logs.tables.users"]


def test_files_are_named_by_themselves(tiny) -> None:
    files = InputFiles(sources={None: [LogFile("/logs/day0", "day0", 1)]}, evaluation=frozenset())
    assert source_names(tiny.settings(), files, None) == ["day0"]
