"""A sample has whole lines of several places of a file, and says how much of it they are."""

from __future__ import annotations

import gzip
import io
import itertools
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from feature_spec.logs.source import Source
from pipeline.ingest.sources.files import LogFile
from pipeline.log_look.sampled_files import SampledFile, chosen_files, evenly, text_pieces

JSONL, CSV, PARQUET = (Source(path=["log"], format=one) for one in ("jsonl", "csv", "parquet"))


def sample(path: Path, source: Source, most: int) -> tuple[SampledFile, list[dict]]:
    file = SampledFile(LogFile(str(path), path.name, path.stat().st_size), most)
    records = []
    for batch in file.batches(source, 10_000):
        assert not batch.unusable
        records += batch.rows.records()
    return file, records


def numbered(count: int) -> str:
    return "".join(json.dumps({"n": number, "of": "x" * 90}) + "\n" for number in range(count))


def test_a_small_file_is_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text(numbered(50))
    file, records = sample(path, JSONL, 1_000)
    assert [record["n"] for record in records] == list(range(50))
    assert (file.lines, file.read_share) == (50, 1.0)


def test_a_large_text_is_read_at_eight_places_from_its_first_line_to_its_last(
    tmp_path: Path,
) -> None:
    path = tmp_path / "log"
    path.write_text(numbered(20_000))
    file, records = sample(path, JSONL, 800)
    numbers = [record["n"] for record in records]
    assert numbers == sorted(set(numbers))
    assert (numbers[0], numbers[-1]) == (0, 19_999)
    assert sum(later - number > 1 for number, later in itertools.pairwise(numbers)) == 7
    assert 700 <= len(numbers) <= 900
    assert file.about_lines == pytest.approx(20_000, rel=0.02)


def test_a_compressed_file_is_read_from_its_start_and_its_lines_are_estimated(
    tmp_path: Path,
) -> None:
    path = tmp_path / "log.gz"
    lines = [json.dumps({"n": number, "at": number * 7919 % 10_007}) for number in range(100_000)]
    path.write_bytes(gzip.compress("\n".join(lines).encode()))
    file, records = sample(path, JSONL, 5_000)
    assert [record["n"] for record in records] == list(range(len(records)))
    assert 5_000 <= len(records) <= 7_000
    assert file.about_lines == pytest.approx(100_000, rel=0.2)


def test_values_in_quotes_are_never_cut(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text("n,text\n" + '1,"two\nlines"\n' * 20_000)
    file, records = sample(path, CSV, 800)
    assert {record["text"] for record in records} == {"two\nlines"}
    assert file.read_share < 0.2


def test_text_whose_line_feeds_are_more_than_a_byte_is_read_from_its_start(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text(numbered(20_000), encoding="utf-16")
    source = Source(path=["log"], format="jsonl", encoding="utf-16")
    file, records = sample(path, source, 2_000)
    assert [record["n"] for record in records] == list(range(len(records)))
    assert file.about_lines == pytest.approx(20_000, rel=0.2)


def test_row_groups_of_parquet_are_read_evenly_apart(tmp_path: Path) -> None:
    path = tmp_path / "log"
    pq.write_table(pa.table({"n": range(100_000)}), path, row_group_size=1_000)
    file, records = sample(path, PARQUET, 8_000)
    assert {record["n"] // 1_000 for record in records} == {0, 14, 28, 42, 57, 71, 85, 99}
    assert (len(records), file.about_lines) == (8_000, 100_000)


@pytest.mark.parametrize("rows", [100, 5_000])
def test_parquet_that_is_not_on_this_machine_is_sampled_too(
    monkeypatch: pytest.MonkeyPatch, rows: int
) -> None:
    content = io.BytesIO()
    pq.write_table(pa.table({"n": range(rows)}), content, row_group_size=1_000)
    monkeypatch.setattr(LogFile, "open", lambda _: io.BytesIO(content.getvalue()))
    file = SampledFile(LogFile("gs://logs/log", "log", len(content.getvalue())), 1_000)
    read = [batch.rows.records() for batch in file.batches(PARQUET, 10_000)]
    assert (min(rows, 1_000) <= sum(map(len, read)) <= rows, file.about_lines) == (True, rows)


def test_files_that_judge_the_model_are_chosen_by_themselves() -> None:
    files = [LogFile(f"/{name}", name, 1) for name in ("a", "b", "c", "judge")]
    chosen = chosen_files(files, 400, frozenset({"judge"}))
    assert [(file.name, file.most) for file in chosen] == [
        ("a", 100),
        ("b", 100),
        ("c", 100),
        ("judge", 100),
    ]


def test_things_evenly_apart_have_the_first_and_the_last() -> None:
    assert evenly(range(10), 4) == [0, 3, 6, 9]
    assert evenly(range(3), 4) == [0, 1, 2]


@given(
    lengths=st.lists(st.integers(0, 300), min_size=1, max_size=3_000),
    most=st.integers(1, 500),
    ends=st.booleans(),
)
def test_pieces_of_a_text_are_lines_of_it_in_their_order(
    lengths: list[int], most: int, ends: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    lines = [f"{number} ".encode() + b"x" * length for number, length in enumerate(lengths)]
    text = b"\n".join(lines) + b"\n" * ends
    path = tmp_path_factory.mktemp("text") / "log"
    path.write_bytes(text)
    with path.open("rb") as file:
        pieces = text_pieces(file, len(text), most, in_quotes=False)
        if pieces is None:
            assert file.tell() == 0
            return
    numbers = [int(line.split(b" ")[0]) for line in pieces.splitlines()]
    assert pieces.splitlines() == [lines[number] for number in numbers]
    assert numbers == sorted(set(numbers))
    assert numbers[0] == 0
