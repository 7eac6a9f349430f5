"""Side tables are read by key."""

from __future__ import annotations

import json
from pathlib import Path

from pipeline.ingest.accounting.rejection import Reason
from pipeline.ingest.accounting.summary import IngestSummary
from pipeline.ingest.labelling.log_tables import read_side_table
from pipeline.ingest.sources.files import find_input_files


def test_rows_are_found_by_key_and_the_first_of_a_key_counts(tiny, logs: Path) -> None:
    settings = tiny.settings()
    rows, rejected, counts = read_side_table(
        "users", find_input_files(settings, str(logs)).sources["users"], settings
    )
    assert rows.to_pylist() == [
        {"key": b"u0", "field.region": b"north", "field.age": 30.0},
        {"key": b"u1", "field.region": None, "field.age": None},
    ]
    assert rejected == []
    table = IngestSummary.of(counts, settings).tables["users"]
    assert (table.lines, table.rows, table.repeated_keys, table.rejected) == (3, 2, 1, {})


def test_a_number_and_its_text_are_one_key(tiny, logs: Path) -> None:
    tiny.write(
        logs / "users.jsonl",
        [
            {"user_id": 7, "region": "north", "age": 1},
            {"user_id": "7", "region": "south", "age": 2},
        ],
    )
    settings = tiny.settings()
    rows, _, _ = read_side_table(
        "users", find_input_files(settings, str(logs)).sources["users"], settings
    )
    assert rows.to_pylist() == [{"key": b"7", "field.region": b"north", "field.age": 1.0}]


def test_lines_that_cannot_be_used_are_rejected_with_their_reason(tiny, logs: Path) -> None:
    lines = [{"user_id": "u0", "age": -1}, {"region": "north"}, {"user_id": "u0", "age": 30}]
    (logs / "users.jsonl").write_text(
        "no json\n" + "".join(json.dumps(line) + "\n" for line in lines)
    )
    settings = tiny.settings()
    rows, rejected, counts = read_side_table(
        "users", find_input_files(settings, str(logs)).sources["users"], settings
    )
    assert rows.to_pylist() == [{"key": b"u0", "field.region": None, "field.age": 30.0}]
    assert [(entry.source, entry.offset, entry.reason) for entry in rejected] == [
        ("users.jsonl", 1, Reason.MALFORMED), ("users.jsonl", 2, Reason.OUT_OF_RANGE), ("users.jsonl", 3, Reason.MISSING_KEY),
    ]  # fmt: skip
    table = IngestSummary.of(counts, settings).tables["users"]
    assert table.lines == table.rows + table.repeated_keys + sum(table.rejected.values()) == 4
