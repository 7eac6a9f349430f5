"""TFRecords written a batch at a time are those that TensorFlow writes and reads."""

from __future__ import annotations

import gzip
import io
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow as pa
import pytest

from pipeline.ingest.formats.tfrecords import TFRecordWriter, framed

pytestmark = [pytest.mark.slow, pytest.mark.tensorflow]

RECORDS = [
    b"",
    b"a",
    b"bb",
    b"cc",
    b"x" * 100_000,
    *(bytes([number]) * number for number in range(256)),
]


def test_the_bytes_are_those_of_tensorflow(tmp_path: Path) -> None:
    import tensorflow as tf

    with tf.io.TFRecordWriter(str(tmp_path / "records")) as writer:
        for record in RECORDS:
            writer.write(record)
    assert bytes(framed(pa.array(RECORDS, pa.binary()))) == (tmp_path / "records").read_bytes()


def test_batches_follow_one_another_in_one_gzip_stream(tmp_path: Path) -> None:
    import tensorflow as tf

    path = tmp_path / "records.gz"
    with path.open("wb") as file, ThreadPoolExecutor(max_workers=1) as thread:
        writer = TFRecordWriter(file, thread)
        for start in range(0, len(RECORDS), 10):
            writer.write(pa.array(RECORDS[start : start + 10], pa.binary()))
        writer.close()
    assert [
        record.numpy() for record in tf.data.TFRecordDataset(str(path), compression_type="GZIP")
    ] == RECORDS
    assert gzip.decompress(path.read_bytes()) == bytes(framed(pa.array(RECORDS, pa.binary())))


def test_an_error_of_the_thread_reaches_the_writer() -> None:
    class FullDisk(io.BytesIO):
        def write(self, content: object) -> int:
            raise OSError("no space left on device")

    with ThreadPoolExecutor(max_workers=1) as thread, pytest.raises(OSError, match="no space left"):
        writer = TFRecordWriter(FullDisk(), thread)
        writer.write(pa.array([b"x" * 10_000], pa.binary()))
        writer.close()
