"""Files to write are tried when the command line is read."""

from __future__ import annotations

import pytest
import typer

from feature_spec.output_file import writable_file


def test_a_file_that_can_be_written_is_left_as_it_is(tmp_path):
    old, new = tmp_path / "old.json", tmp_path / "folder" / "new.json"
    old.write_text("{}")
    assert [writable_file(old), writable_file(new), writable_file(None)] == [old, new, None]
    assert old.read_text() == "{}"
    assert not new.exists()
    new.write_text("its folder is there")


def test_a_file_that_cannot_be_written_is_named_with_the_reason(tmp_path):
    (tmp_path / "file").touch()
    for path in (tmp_path / "file" / "x.json", tmp_path, tmp_path / ("x" * 300)):
        with pytest.raises(typer.BadParameter, match=f"{path}: cannot be written: "):
            writable_file(path)
