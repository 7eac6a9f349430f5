"""Arrays pass through an archive block by block, in NumPy's own format."""

from __future__ import annotations

import zipfile

import numpy as np
import pytest

from trainer.warm_start import array_archive
from trainer.warm_start.array_archive import ArchiveWriter, StoredArray

ARRAYS = {
    "model": np.array("snr_trans"),
    "steps": np.array(7, np.int64),
    "table/0/4": np.arange(40, dtype="f4").reshape(10, 4),
    "rowwise": np.arange(10, dtype="f4"),
    "half": np.arange(6, dtype="f2").reshape(2, 3),
    "text": np.frombuffer(b"a\nb\n", np.uint8),
    "empty": np.zeros((0, 4), "f4"),
    "no_width": np.zeros((3, 0), "f4"),
}


@pytest.fixture(params=[1, 20, 1 << 20])
def _blocks(request, monkeypatch):
    monkeypatch.setattr(array_archive, "_BLOCK_BYTES", request.param)


@pytest.mark.usefixtures("_blocks")
def test_an_archive_of_numpy_is_read_in_blocks_and_as_a_whole(tmp_path):
    np.savez(tmp_path / "arrays.npz", **ARRAYS)
    with zipfile.ZipFile(tmp_path / "arrays.npz") as archive:
        for name, expected in ARRAYS.items():
            stored = StoredArray.of(archive, name)
            assert (stored.shape, stored.dtype) == (expected.shape, expected.dtype)
            np.testing.assert_array_equal(stored.whole(), expected)
            if expected.ndim:
                rows = [np.zeros_like(expected[:0]), *stored.blocks()]
                np.testing.assert_array_equal(np.concatenate(rows), expected)


def test_numpy_reads_what_is_written_in_blocks(tmp_path):
    with zipfile.ZipFile(tmp_path / "arrays.npz", "w") as archive:
        writer = ArchiveWriter(archive)
        for name, array in ARRAYS.items():
            if array.ndim:
                writer.add_blocks(name, array.shape, array.dtype, [array[:1], array[1:]])
            else:
                writer.add(name, array)
    with np.load(tmp_path / "arrays.npz") as read:
        assert set(read.files) == set(ARRAYS)
        for name, expected in ARRAYS.items():
            np.testing.assert_array_equal(read[name], expected)


def test_an_array_that_ends_too_early_is_named(tmp_path):
    with zipfile.ZipFile(tmp_path / "arrays.npz", "w") as archive:
        ArchiveWriter(archive).add_blocks("table", (3, 2), np.dtype("f4"), [np.zeros((2, 2), "f4")])
    with zipfile.ZipFile(tmp_path / "arrays.npz") as archive:
        stored = StoredArray.of(archive, "table")
        with pytest.raises(EOFError, match="table ends 8 bytes before its end"):
            stored.whole()
        with pytest.raises(EOFError, match="table ends 8 bytes before its end"):
            list(stored.blocks())
