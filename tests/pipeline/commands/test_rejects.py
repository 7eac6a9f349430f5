"""`fulcrum rejects` shows the lines that the latest ingestion could not use."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from fulcrum import cli
from pipeline.ingest.accounting.rejection import Reason, RejectedLine, rejected_table

LINES = [
    RejectedLine("day2.jsonl", 3, Reason.MALFORMED, "not JSON: [oops]", b"no [red]json"),
    RejectedLine("day1.jsonl", 9, Reason.MALFORMED, "not JSON: later", b"{"),
    RejectedLine("day1.jsonl", 4, Reason.MALFORMED, "not JSON: first", b"}"),
    RejectedLine("day1.jsonl", 5, Reason.DUPLICATE, "equal to line 1", b"{}"),
]


@pytest.fixture(autouse=True)
def _wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")


def _keep(
    root: Path, execution: str, lines: list[RejectedLine], node: str = "LogsExampleGen"
) -> None:
    folder = root / "artifacts" / node / "examples" / execution
    folder.mkdir(parents=True)
    pq.write_table(rejected_table(lines), folder / "lines-00000-of-00004.parquet")
    if not execution.endswith("_rejected"):
        (folder.parent / "ingest_summary.json").touch()


def _rejects(root: Path, *options: str) -> str:
    result = CliRunner().invoke(cli.app, ["rejects", "--root", str(root), *options])
    assert result.exit_code == 0, result.output
    return result.output


def test_reasons_are_counted_by_file_with_the_first_line_of_each(tmp_path: Path) -> None:
    _keep(tmp_path, "7/rejected", LINES)
    rows = [
        [cell.strip() for cell in line.split("│")[1:-1]]
        for line in _rejects(tmp_path).splitlines()
        if "│" in line
    ]
    assert rows == [
        ["malformed", "day1.jsonl", "2", "4", "not JSON: first"],
        ["duplicate", "day1.jsonl", "1", "5", "equal to line 1"],
        ["malformed", "day2.jsonl", "1", "3", "not JSON: [oops]"],
    ]


def test_lines_of_a_reason_and_of_a_file_are_listed(tmp_path: Path) -> None:
    _keep(tmp_path, "7/rejected", LINES)
    output = _rejects(tmp_path, "--reason", "malformed", "--source", "day2*")
    assert "no [red]json" in output
    assert "1 rejected lines match" in output
    assert "day1" not in output


def test_no_more_lines_than_asked_for_are_listed(tmp_path: Path) -> None:
    _keep(tmp_path, "7/rejected", LINES)
    output = _rejects(tmp_path, "--reason", "malformed", "--limit", "1")
    assert ("first" in output, "later" in output, "3 rejected lines match" in output) == (
        True,
        False,
        True,
    )


def test_lines_that_stopped_the_latest_run_are_shown(tmp_path: Path) -> None:
    _keep(tmp_path, "9/rejected", LINES[:1])
    _keep(tmp_path, "10_rejected", LINES[1:2])
    assert "later" in _rejects(tmp_path)
    assert "oops" not in _rejects(tmp_path)


def test_of_a_run_by_span_the_day_ingested_last_is_shown(tmp_path: Path) -> None:
    _keep(tmp_path, "10/rejected", LINES[1:2], "LogsExampleGen-2022-05-02")
    _keep(tmp_path, "9/rejected", LINES[:1], "LogsExampleGen-2022-05-01")
    assert "later" in _rejects(tmp_path)
    assert "oops" not in _rejects(tmp_path)


def test_an_ingestion_that_rejected_nothing_has_no_lines(tmp_path: Path) -> None:
    artifact = tmp_path / "artifacts" / "LogsExampleGen" / "examples" / "7"
    artifact.mkdir(parents=True)
    (artifact / "ingest_summary.json").touch()
    assert "0 rejected lines" in _rejects(tmp_path)


def test_a_reason_that_does_not_exist_is_refused_with_the_closest(tmp_path: Path) -> None:
    result = CliRunner().invoke(
        cli.app, ["rejects", "--root", str(tmp_path), "--reason", "malformd"]
    )
    assert result.exit_code == 1
    assert "did you mean 'malformed'" in result.output


def test_a_root_without_an_ingestion_says_so(tmp_path: Path) -> None:
    result = CliRunner().invoke(cli.app, ["rejects", "--root", str(tmp_path)])
    assert result.exit_code == 1
    assert "no logs were ingested here yet" in result.output
