"""Files of every format and compression become the same numbered records."""

from __future__ import annotations

import bz2
import datetime
import decimal
import gzip
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from feature_spec.logs.source import Source
from pipeline.ingest.accounting.rejection import Reason, UnusableLineError
from pipeline.ingest.sources.files import LogFile

COMPRESSIONS = {"": bytes, ".gz": gzip.compress, ".bz2": bz2.compress}


def _read(path: Path, **source: Any) -> list[tuple[int, Any]]:
    """Number and record, or number and reason."""
    file = LogFile(str(path), path.name, path.stat().st_size if path.exists() else 0)
    batches = file.batches(Source(path=["*"], **source), max_line_bytes=1000)
    return [
        (number, record.reason if isinstance(record, UnusableLineError) else record)
        for batch in batches
        for number, _, record in batch.lines()
    ]


@pytest.mark.parametrize("ending", COMPRESSIONS)
def test_json_lines_are_read_plain_and_compressed(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"log.jsonl{ending}"
    path.write_bytes(COMPRESSIONS[ending](b'{"a": 1}\n\n{"a": 2}'))
    assert _read(path, format="jsonl") == [(1, {"a": 1}), (2, Reason.EMPTY_LINE), (3, {"a": 2})]


@pytest.mark.parametrize("ending", COMPRESSIONS)
def test_a_csv_header_names_the_columns_and_is_no_record(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"log.csv{ending}"
    path.write_bytes(COMPRESSIONS[ending](b"a,b\n1,2\n3\n5,6\n"))
    assert _read(path, format="csv") == [
        (2, {"a": "1", "b": "2"}),
        (3, Reason.MALFORMED),
        (4, {"a": "5", "b": "6"}),
    ]


def test_csv_without_a_header_takes_the_columns_of_the_spec(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_bytes(b"1, 2\n3, 4\n")
    assert _read(path, format="csv", columns=["a", "b"]) == [
        (1, {"a": "1", "b": "2"}),
        (2, {"a": "3", "b": "4"}),
    ]


def test_a_csv_file_without_a_usable_header_is_unreadable_as_a_whole(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_bytes(b"a,a\n1,2\n")
    assert _read(path, format="csv") == [(1, Reason.UNREADABLE)]


@pytest.mark.parametrize("content", [b"", b"a,b\n"])
def test_a_csv_file_with_no_line_behind_its_header_has_no_records(
    tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "log.csv"
    path.write_bytes(content)
    assert _read(path, format="csv") == []


def test_parquet_rows_are_records_with_plain_values(tmp_path: Path) -> None:
    path = tmp_path / "log.parquet"
    moment = datetime.datetime(2022, 4, 25, 0, 30)
    table = {
        "a": [1, None],
        "tags": [["x", "y"], []],
        "time": [moment, moment],
        "amount": [decimal.Decimal("1.5"), None],
        "raw": [b"b", None],
    }
    pq.write_table(pa.table(table), path)
    assert _read(path, format="parquet") == [
        (1, {"a": 1, "tags": ["x", "y"], "time": "2022-04-25T00:30:00", "amount": 1.5, "raw": "b"}),
        (2, {"a": None, "tags": [], "time": "2022-04-25T00:30:00", "amount": None, "raw": None}),
    ]


def test_parquet_bytes_that_are_no_text_can_be_told_from_text(tmp_path: Path) -> None:
    path = tmp_path / "log.parquet"
    pq.write_table(pa.table({"a": [b"\xff", b"ok"]}), path)
    # No reader takes the half of a surrogate pair that stands for the byte.
    assert _read(path, format="parquet") == [(1, {"a": "\udcff"}), (2, {"a": "ok"})]


def test_a_damaged_parquet_file_gives_the_rows_before_the_damage(tmp_path: Path) -> None:
    path = tmp_path / "log.parquet"
    pq.write_table(
        pa.table({"a": [f"value {row}" for row in range(20_000)]}),
        path,
        row_group_size=5000,
        compression="gzip",
    )
    third = pq.ParquetFile(path).metadata.row_group(2).column(0)
    stored = bytearray(path.read_bytes())
    start = third.dictionary_page_offset or third.data_page_offset
    stored[start : start + third.total_compressed_size] = bytes(third.total_compressed_size)
    path.write_bytes(bytes(stored))
    *rows, last = _read(path, format="parquet")
    assert last == (len(rows) + 1, Reason.UNREADABLE)
    assert [record["a"] for _, record in rows] == [f"value {row}" for row in range(len(rows))]
    assert len(rows) >= 5000


def test_a_file_that_is_no_parquet_is_unreadable(tmp_path: Path) -> None:
    path = tmp_path / "log.parquet"
    path.write_bytes(b"a,b\n1,2\n")
    assert _read(path, format="parquet") == [(1, Reason.UNREADABLE)]


def test_a_file_that_is_gone_is_unreadable(tmp_path: Path) -> None:
    assert _read(tmp_path / "gone.jsonl", format="jsonl") == [(1, Reason.UNREADABLE)]


@pytest.mark.parametrize("ending", [".gz", ".bz2"])
def test_a_file_cut_off_gives_its_whole_lines_and_one_unreadable_one(
    tmp_path: Path, ending: str
) -> None:
    path = tmp_path / f"log.jsonl{ending}"
    content = b"".join(b'{"a": %d}\n' % number for number in range(400_000))
    stored = COMPRESSIONS[ending](content)
    path.write_bytes(stored[: len(stored) // 2])
    *whole, last = _read(path, format="jsonl")
    assert [record for _, record in whole] == [{"a": number} for number in range(len(whole))]
    assert last == (len(whole) + 1, Reason.UNREADABLE)
    assert len(whole) > 80_000
