"""Avro files and TFRecords of tf.Examples become the same numbered records as other formats."""

from __future__ import annotations

import datetime
import gzip
from pathlib import Path
from typing import Any

import fastavro
import pytest

from feature_spec.logs.source import Source
from pipeline.ingest.accounting.rejection import Reason, UnusableLineError
from pipeline.ingest.formats.avro_files import avro_columns
from pipeline.ingest.sources.files import LogFile

AVRO = {
    "type": "record",
    "name": "row",
    "fields": [
        {"name": "a", "type": ["null", "long"]},
        {"name": "tags", "type": {"type": "array", "items": "string"}},
        {"name": "time", "type": {"type": "long", "logicalType": "timestamp-millis"}},
        {"name": "raw", "type": ["null", "bytes"]},
    ],
}
MOMENT = datetime.datetime(2022, 4, 25, 0, 30, tzinfo=datetime.UTC)


def _read(path: Path, kind: str) -> list[tuple[int, Any]]:
    file = LogFile(str(path), path.name, path.stat().st_size)
    batches = file.batches(Source(path=["*"], format=kind), max_line_bytes=1000)
    return [
        (number, record.reason if isinstance(record, UnusableLineError) else record)
        for batch in batches
        for number, _, record in batch.lines()
    ]


def _avro(path: Path, rows: list[dict[str, Any]]) -> None:
    with path.open("wb") as file:
        fastavro.writer(file, AVRO, rows, codec="deflate", sync_interval=1000)


def _row(number: int | None, raw: bytes | None = None) -> dict[str, Any]:
    return {"a": number, "tags": ["x", "y"], "time": MOMENT, "raw": raw}


def test_avro_rows_are_records_with_plain_values(tmp_path: Path) -> None:
    _avro(tmp_path / "log.avro", [_row(1, b"b"), _row(None)])
    plain = {"tags": ["x", "y"], "time": "2022-04-25T00:30:00+00:00"}
    assert _read(tmp_path / "log.avro", "avro") == [
        (1, {"a": 1, **plain, "raw": "b"}),
        (2, {"a": None, **plain, "raw": None}),
    ]
    with (tmp_path / "log.avro").open("rb") as file:
        assert avro_columns(file) == ["a", "tags", "time", "raw"]


def test_avro_bytes_that_are_no_text_can_be_told_from_text(tmp_path: Path) -> None:
    _avro(tmp_path / "log.avro", [_row(1, b"\xff"), _row(2)])
    # No reader takes the half of a surrogate pair that stands for the byte.
    assert [(row["a"], row["raw"]) for _, row in _read(tmp_path / "log.avro", "avro")] == [
        (1, "\udcff"),
        (2, None),
    ]


def test_a_damaged_avro_file_gives_the_rows_before_the_damage(tmp_path: Path) -> None:
    _avro(tmp_path / "log.avro", [_row(number) for number in range(20_000)])
    content = (tmp_path / "log.avro").read_bytes()
    (tmp_path / "log.avro").write_bytes(content[: len(content) // 2])
    *rows, last = _read(tmp_path / "log.avro", "avro")
    assert last == (len(rows) + 1, Reason.UNREADABLE)
    assert [record["a"] for _, record in rows] == list(range(len(rows)))
    assert len(rows) > 5000


def test_a_file_that_is_no_avro_is_unreadable(tmp_path: Path) -> None:
    (tmp_path / "log.avro").write_bytes(b"a,b\n1,2\n")
    assert _read(tmp_path / "log.avro", "avro") == [(1, Reason.UNREADABLE)]


def _examples(count: int) -> bytes:
    import pyarrow as pa
    import tensorflow as tf

    from pipeline.ingest.formats.tfrecords import framed

    def example(number: int) -> bytes:
        features = {
            "a": tf.train.Feature(int64_list=tf.train.Int64List(value=[number])),
            "price": tf.train.Feature(float_list=tf.train.FloatList(value=[0.5])),
            "tags": tf.train.Feature(bytes_list=tf.train.BytesList(value=[b"x", "ü".encode()])),
            "nothing": tf.train.Feature(bytes_list=tf.train.BytesList()),
        }
        return tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString()

    return bytes(framed(pa.array([example(number) for number in range(count)], pa.binary())))


@pytest.mark.slow
@pytest.mark.tensorflow
@pytest.mark.parametrize("ending", ["", ".gz"])
def test_examples_are_records(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"log.tfrecord{ending}"
    path.write_bytes((gzip.compress if ending else bytes)(_examples(5000)))
    expected = {"price": 0.5, "tags": ["x", "ü"], "nothing": None}
    assert _read(path, "tfrecord") == [
        (number + 1, {"a": number, **expected}) for number in range(5000)
    ]


@pytest.mark.slow
@pytest.mark.tensorflow
@pytest.mark.parametrize("damage", ["cut", "flipped"])
def test_damaged_tfrecords_give_the_records_before_the_damage(tmp_path: Path, damage: str) -> None:
    content = bytearray(_examples(100))
    if damage == "cut":
        del content[-7:]
    else:
        content[-7] ^= 1
    (tmp_path / "log.tfrecord").write_bytes(bytes(content))
    *rows, last = _read(tmp_path / "log.tfrecord", "tfrecord")
    assert ([record["a"] for _, record in rows], last) == (
        list(range(99)),
        (100, Reason.UNREADABLE),
    )
