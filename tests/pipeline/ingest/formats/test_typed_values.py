"""A value that Python or UTF-8 cannot hold costs its row only if somebody reads its column."""

from __future__ import annotations

import datetime
import decimal
import json
import uuid
from pathlib import Path
from typing import Any

import fastavro
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from feature_spec.logs.source import Source
from pipeline.ingest.accounting.rejection import Reason
from pipeline.ingest.formats.record_batch import Problems, RecordBatch
from pipeline.ingest.formats.typed_values import column_values, plain
from pipeline.ingest.labelling.value_readers import TextReader
from pipeline.ingest.sources.files import LogFile
from pipeline.ingest.sources.record_source import RecordChunk

FAR_US = 254_402_300_800_000_000  # microseconds to the year 10031
FAR_DAY = 2_944_400  # days to the year 10031


def _batch(path: Path, kind: str) -> RecordBatch:
    file = LogFile(str(path), path.name, path.stat().st_size)
    (batch,) = file.batches(Source(path=["*"], format=kind), max_line_bytes=1000)
    return batch


def _texts(batch: RecordBatch, column: str) -> tuple[list[bytes | None], dict[int, Reason]]:
    problems: Problems = {}
    texts = TextReader(column, [""])(batch.rows.column(column), problems)
    return texts.to_pylist(), {at: problem.reason for at, problem in problems.items()}


def _binary(*texts: bytes) -> pa.Array:
    """Texts that nobody has checked to be UTF-8."""
    return pa.Array.from_buffers(pa.string(), len(texts), pa.array(texts, pa.binary()).buffers(), 0)


# Two values, of which Python cannot hold the second.
UNHOLDABLE = {
    "timestamp[us]": pa.array([0, FAR_US], pa.int64()).cast(pa.timestamp("us")),
    "timestamp[us] before the year 1": pa.array([0, -FAR_US], pa.int64()).cast(pa.timestamp("us")),
    "timestamp[s]": pa.array([0, FAR_US], pa.int64()).cast(pa.timestamp("s")),
    "timestamp[us] with a zone": pa.array([0, FAR_US], pa.int64()).cast(
        pa.timestamp("us", "Asia/Tokyo")
    ),
    "date32": pa.array([0, FAR_DAY], pa.int32()).cast(pa.date32()),
    "date64": pa.array([0, FAR_DAY * 86_400_000], pa.int64()).cast(pa.date64()),
    "duration": pa.array([0, 2**62], pa.int64()).cast(pa.duration("s")),
    "dictionary": pa.array([0, FAR_DAY], pa.int32()).cast(pa.date32()).dictionary_encode(),
    "struct": pa.StructArray.from_arrays(
        [pa.array([0, FAR_DAY], pa.int32()).cast(pa.date32())], ["day"]
    ),
    "list": pa.ListArray.from_arrays([0, 1, 2], pa.array([0, FAR_DAY], pa.int32()).cast(pa.date32())),
}  # fmt: skip


@pytest.mark.parametrize("kind", UNHOLDABLE)
def test_a_value_that_python_cannot_hold_leaves_the_other_columns_and_digests_alone(
    kind: str,
) -> None:
    values = column_values(UNHOLDABLE[kind])
    assert len(values) == 2
    problems: Problems = {}
    TextReader("odd", [""])(values, problems)
    assert problems[1].reason == Reason.WRONG_TYPE
    assert problems[1].detail.startswith("odd: ")


@pytest.mark.parametrize("kind", ["timestamp[us]", "date32", "timestamp[us] with a zone"])
def test_in_parquet_it_costs_the_row_that_is_read_and_nothing_if_nobody_reads_it(
    tmp_path: Path, kind: str
) -> None:
    path = tmp_path / "log.parquet"
    pq.write_table(pa.table({"id": ["a", "b"], "odd": UNHOLDABLE[kind]}), path)
    batch = _batch(path, "parquet")
    assert (batch.numbers, batch.unusable) == ([1, 2], [])
    assert _texts(batch, "id") == ([b"a", b"b"], {})
    assert _texts(batch, "odd")[1] == {1: Reason.WRONG_TYPE}
    problems: Problems = {}
    assert len(set(batch.rows.digests(problems))) == 2
    assert not problems


def test_the_values_beyond_python_still_tell_rows_apart() -> None:
    one, other = (
        column_values(pa.array([time], pa.int64()).cast(pa.timestamp("us")))
        for time in (FAR_US, FAR_US + 1)
    )
    assert str(one[0]) != str(other[0])


@pytest.mark.parametrize("wrap", [lambda texts: texts, pa.Array.dictionary_encode])
def test_text_that_is_not_utf8_costs_its_row_only(wrap: Any) -> None:
    values = column_values(wrap(_binary(b"ok", b"caf\xe9")))
    problems: Problems = {}
    assert TextReader("c", [""])(values, problems).to_pylist() == [b"ok", None]
    assert {at: one.reason for at, one in problems.items()} == {1: Reason.WRONG_ENCODING}


def test_nanoseconds_are_exact_text() -> None:
    column = pa.array([1_650_846_600_000_000_123], pa.int64()).cast(pa.timestamp("ns"))
    assert column_values(column) == ["2022-04-25T00:30:00.000000123"]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (decimal.Decimal(9007199254740993), 9007199254740993),
        (decimal.Decimal("10.00"), 10),
        (decimal.Decimal("0.5"), 0.5),
        (decimal.Decimal("12345678901234567890123456789012345678"), 12345678901234567890123456789012345678),
        (b"caf\xc3\xa9", "café"),
        (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (datetime.time(1, 2), "01:02:00"),
        ({"a": [decimal.Decimal(1)]}, {"a": [1]}),
    ],
)  # fmt: skip
def test_a_value_with_a_type_is_what_json_would_hold(value: Any, expected: Any) -> None:
    result = plain(value)
    assert (result, type(result)) == (expected, type(expected))


@pytest.mark.parametrize(
    ("kind", "last_exact"),
    [(pa.float16(), 2**11 - 1), (pa.float32(), 2**24 - 1), (pa.float64(), 2**53 - 1)],
)
def test_ids_in_floats_are_exact_or_rejected(kind: pa.DataType, last_exact: int) -> None:
    numbers = np.array([7, last_exact, last_exact + 1], kind.to_pandas_dtype())
    problems: Problems = {}
    texts = TextReader("id", [""])(column_values(pa.array(numbers)), problems)
    assert texts.to_pylist() == [b"7", str(last_exact).encode(), None]
    assert {at: one.reason for at, one in problems.items()} == {2: Reason.WRONG_TYPE}


AVRO = {
    "type": "record",
    "name": "row",
    "fields": [
        {"name": "id", "type": "string"},
        {"name": "at", "type": ["null", {"type": "long", "logicalType": "timestamp-micros"}]},
        {"name": "day", "type": {"type": "int", "logicalType": "date"}},
        {"name": "small", "type": "float"},
        {"name": "amount", "type": {"type": "bytes", "logicalType": "decimal", "precision": 20, "scale": 0}},
        {"name": "more", "type": {"type": "array", "items": {
            "type": "record", "name": "inner", "fields": [{"name": "day", "type": {"type": "int", "logicalType": "date"}}],
        }}},
    ],
}  # fmt: skip


def _raw_schema(schema: Any) -> Any:
    """The schema without logical types, by which any number can be written."""
    if isinstance(schema, list):
        return [_raw_schema(branch) for branch in schema]
    if isinstance(schema, dict):
        return {key: _raw_schema(value) for key, value in schema.items() if key != "logicalType"}
    return schema


def test_in_avro_such_a_value_costs_its_row_only(tmp_path: Path) -> None:
    rows = [
        {"id": "a", "at": 0, "day": 0, "small": 7.0, "amount": b"\x05", "more": []},
        {
            "id": "b",
            "at": FAR_US,
            "day": FAR_DAY,
            "small": 2.0**24,
            "amount": (2**53 + 1).to_bytes(8, "big"),
            "more": [{"day": FAR_DAY}],
        },
    ]
    path = tmp_path / "log.avro"
    with path.open("wb") as file:
        fastavro.writer(file, _raw_schema(AVRO), rows)
    with path.open("rb") as file:
        written = fastavro.reader(file).metadata["avro.schema"].encode()
    path.write_bytes(_with_schema(path.read_bytes(), written, json.dumps(AVRO).encode()))
    batch = _batch(path, "avro")
    assert (batch.numbers, batch.unusable) == ([1, 2], [])
    assert _texts(batch, "id") == ([b"a", b"b"], {})
    assert _texts(batch, "at") == ([b"1970-01-01T00:00:00+00:00", None], {1: Reason.WRONG_TYPE})
    assert _texts(batch, "day") == ([b"1970-01-01", None], {1: Reason.WRONG_TYPE})
    assert _texts(batch, "small") == ([b"7", None], {1: Reason.WRONG_TYPE})
    assert _texts(batch, "amount") == ([b"5", b"9007199254740993"], {})


def _with_schema(content: bytes, old: bytes, new: bytes) -> bytes:
    """Replace the schema of an Avro file, with the zigzag varint of its length."""

    def varint(number: int) -> bytes:
        number *= 2
        groups = bytearray()
        while number > 0x7F:
            groups.append(number & 0x7F | 0x80)
            number >>= 7
        return bytes([*groups, number])

    return content.replace(varint(len(old)) + old, varint(len(new)) + new)


def test_in_bigquery_such_a_value_costs_its_row_only() -> None:
    rows = [
        {"id": "a", "raw": b"ok", "amount": decimal.Decimal(9007199254740993), "x": 5.0},
        {"id": "b", "raw": b"\xff", "amount": decimal.Decimal("NaN"), "x": 2.0**53},
    ]
    source = Source(bigquery={"table": "project-1.d.t"})
    (batch,) = RecordChunk("t", [0, 0], rows).batches(source, 1000)
    assert _texts(batch, "id") == ([b"a", b"b"], {})
    assert _texts(batch, "raw") == ([b"ok", None], {1: Reason.WRONG_ENCODING})
    assert _texts(batch, "amount") == ([b"9007199254740993", None], {1: Reason.NOT_FINITE})
    assert _texts(batch, "x") == ([b"5", None], {1: Reason.WRONG_TYPE})


def test_of_twin_columns_no_value_is_taken_for_the_right_one(tmp_path: Path) -> None:
    path = tmp_path / "log.parquet"
    table = pa.Table.from_arrays(
        [pa.array(["a"]), pa.array([1]), pa.array([2])], ["id", "twin", "twin"]
    )
    pq.write_table(table, path)
    batch = _batch(path, "parquet")
    assert _texts(batch, "id") == ([b"a"], {})
    assert _texts(batch, "twin") == ([None], {0: Reason.MALFORMED})


def _damaged(path: Path, column: int) -> None:
    """Write three row groups of three columns, and damage a column of the second."""
    table = pa.table({name: [f"{name} {row}" for row in range(9000)] for name in ("a", "b", "c")})
    pq.write_table(table, path, row_group_size=3000, compression="gzip")
    chunk = pq.ParquetFile(path).metadata.row_group(1).column(column)
    stored = bytearray(path.read_bytes())
    start = chunk.dictionary_page_offset or chunk.data_page_offset
    stored[start : start + chunk.total_compressed_size] = bytes(chunk.total_compressed_size)
    path.write_bytes(bytes(stored))


def test_a_damaged_column_costs_the_rows_that_are_read_and_no_other_column(tmp_path: Path) -> None:
    path = tmp_path / "log.parquet"
    _damaged(path, column=1)
    file = LogFile(str(path), path.name, path.stat().st_size)
    batches = list(file.batches(Source(path=["*"], format="parquet"), max_line_bytes=1000))
    assert [number for batch in batches for number in batch.numbers] == list(range(1, 9001))
    assert [text for batch in batches for text in _texts(batch, "a")[0]] == [
        f"a {row}".encode() for row in range(9000)
    ]
    rejected = [
        number
        for batch in batches
        for at, number in enumerate(batch.numbers)
        if at in _texts(batch, "b")[1]
    ]
    assert rejected == list(range(3001, 6001))
