"""What `LogsExampleGen` notices of files that only Beam can read."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
from apache_beam.io.filesystems import FileSystems
from tfx.components.example_gen.input_processor import FileBasedInputProcessor
from tfx.proto import example_gen_pb2

from pipeline.ingest.component import FilesThroughBeam, LogsDriver

pytestmark = pytest.mark.tensorflow

SPLITS = [example_gen_pb2.Input.Split(name="exposures-0", pattern="*.jsonl")]


def test_files_that_only_beam_reads_have_the_fingerprint_that_tfx_would_give_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = []
    for name, content in (("a.jsonl", "1\n"), ("b.jsonl", "22\n")):
        (tmp_path / name).write_text(content)
        stat = (tmp_path / name).stat()
        found.append(
            SimpleNamespace(size_in_bytes=stat.st_size, last_updated_in_seconds=stat.st_mtime)
        )
    asked: list[str] = []

    def match(patterns: list[str]) -> list[SimpleNamespace]:
        asked.extend(patterns)
        return [SimpleNamespace(metadata_list=found)]

    local = FileBasedInputProcessor(str(tmp_path), SPLITS)
    remote = LogsDriver(None).get_input_processor(SPLITS, None, "s3://bucket/logs")
    assert isinstance(remote, FilesThroughBeam)
    monkeypatch.setattr(FileSystems, "match", match)
    local.resolve_span_and_version()
    assert remote.resolve_span_and_version() == (0, None)
    assert remote.get_input_fingerprint(0, None) == local.get_input_fingerprint(0, None)
    assert asked == ["s3://bucket/logs/*.jsonl"]


@pytest.mark.parametrize("base", ["gs://bucket/logs", "/logs"])
def test_what_tensorflow_reads_is_left_to_tfx(base: str) -> None:
    processor = LogsDriver(None).get_input_processor(SPLITS, None, base)
    assert type(processor) is FileBasedInputProcessor
