"""A series of days, and what is shown of it."""

from __future__ import annotations

import dataclasses
import datetime
import io
import json
from pathlib import Path
from typing import Any

import pytest
import typer
from rich.console import Console
from typer.testing import CliRunner, Result

import pipeline.run.backfill
from pipeline.commands import add_to
from pipeline.evaluate.evaluation_result import Estimate, Measurement, TaskVerdict
from pipeline.run.backfill import days_page, days_table, reused_text
from pipeline.run.run_summary import ComponentRun, NodeFailure, RunSummary
from pipeline.spans.span_window import SpanWindow


def day(number: int) -> datetime.date:
    return datetime.date(2022, 5, number)


def summary(
    number: int, status: Any = "pushed", value: float | None = 0.7, state: Any = "done"
) -> RunSummary:
    """Of the day that 3 days before it train."""
    refusals = ["auc 0.6000 is below the threshold 0.65"] if status == "refused" else []
    whole = Measurement(
        field="", value="", example_count=50, metrics={"auc": Estimate(value=value, lower=0.6, upper=0.8)}, baseline={}, changes={},
    )  # fmt: skip
    click = TaskVerdict(
        task="click", example_count=50, metric="auc", threshold=0.65, tolerance=0.01, metrics={"auc": value},
        baseline_metrics={"auc": 0.69}, change=None, slices=[whole], protected=[], refusals=refusals,
    )  # fmt: skip
    nodes = [("Trainer", state), ("Evaluator", state), ("Baseline", "done"), ("Pusher", "done")]
    return RunSummary(
        status=status, spec="tiny", fingerprint="0123456789abcdef", ingestion=None, drift=None, tuning=None,
        tasks=[] if status == "failed" else [click], ranking=[], baseline_note="", mtl_gain=None, push_check=None,
        version=1000 + number if status == "pushed" else None, newly_pushed=status == "pushed",
        components=[ComponentRun(node=node, state=its, elapsed_s=1.0, peak_memory_bytes=1) for node, its in nodes],
        elapsed_s=4.0, log="run.log",
        failure=NodeFailure(node="Trainer", cause="ValueError: no", details="") if status == "failed" else None,
        span=SpanWindow(training_days=[day(number - before) for before in (3, 2, 1)], evaluation_day=day(number)),
    )  # fmt: skip


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    for number in range(1, 9):
        folder = tmp_path / "logs" / f"day={day(number)}"
        folder.mkdir(parents=True)
        (folder / "part-00000.jsonl.gz").touch()
    return tmp_path / "logs"


def backfill(logs: Path, *arguments: str) -> Result:
    app = typer.Typer()
    add_to(app)
    root = logs.parent / "root"
    root.mkdir(exist_ok=True)
    given = [
        "backfill",
        "--spec",
        "short_video",
        "--logs",
        str(logs),
        "--root",
        str(root),
        "--from",
        "2022-05-04",
    ]
    return CliRunner().invoke(app, [*given, *arguments])


def runs_that_end(monkeypatch: pytest.MonkeyPatch, *statuses: str) -> list[datetime.date]:
    """Replaces the runs by ones that end so, one after the other; returns the days that are run."""
    run: list[datetime.date] = []

    def ended(*_: Any, window: SpanWindow, **__: Any) -> RunSummary:
        run.append(window.evaluation_day)
        return summary(window.evaluation_day.day, statuses[len(run) - 1])

    monkeypatch.setattr(pipeline.run.backfill, "run_locally", ended)
    return run


def test_days_are_run_in_order(logs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = runs_that_end(monkeypatch, "pushed", "pushed", "superseded")
    result = backfill(logs, "--to", "2022-05-06")
    assert result.exit_code == 0
    assert run == [day(4), day(5), day(6)]
    assert (
        "2022-05-05 (2 of 3): trained on 2022-05-01 to 2022-05-04 (4 days), judged on 2022-05-05"
        in result.output
    )


def test_a_refused_day_does_not_end_the_series_and_is_told(
    logs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = runs_that_end(monkeypatch, "pushed", "refused", "pushed")
    result = backfill(logs, "--to", "2022-05-06")
    assert result.exit_code == 3
    assert len(run) == 3
    assert "click: auc 0.6000 is below the threshold 0.65" in result.output


def test_a_failure_ends_the_series(logs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = runs_that_end(monkeypatch, "refused", "failed", "pushed")
    result = backfill(logs, "--to", "2022-05-06")
    assert result.exit_code == 1
    assert run == [day(4), day(5)]
    assert "Failed: Trainer: ValueError: no" in result.output


def test_a_series_that_lacks_a_day_is_refused_before_any_is_run(
    logs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = runs_that_end(monkeypatch)
    result = backfill(logs, "--to", "2022-05-09")
    assert result.exit_code == 1
    assert "Error: no logs of 2022-05-09" in result.output
    assert run == []


def test_the_json_file_holds_the_summary_of_each_day(
    logs: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    runs_that_end(monkeypatch, "pushed", "pushed")
    backfill(logs, "--to", "2022-05-05", "--json", str(tmp_path / "days.json"))
    days = json.loads((tmp_path / "days.json").read_text(encoding="utf-8"))["days"]
    assert [entry["span"]["evaluation_day"] for entry in days] == ["2022-05-04", "2022-05-05"]
    assert days[0]["span"]["training_days"] == ["2022-05-01", "2022-05-02", "2022-05-03"]


def test_metrics_over_days_stand_in_a_page_in_the_root(
    logs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs_that_end(monkeypatch, "pushed", "pushed")
    backfill(logs, "--to", "2022-05-05")
    page = (logs.parent / "root" / "backfill.html").read_text(encoding="utf-8")
    assert "<svg" in page
    assert "click: auc" in page


def test_an_interrupted_series_says_how_to_go_on(
    logs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: Any, **__: Any) -> RunSummary:
        raise KeyboardInterrupt

    monkeypatch.setattr(pipeline.run.backfill, "run_locally", interrupted)
    result = backfill(logs, "--to", "2022-05-05")
    assert result.exit_code == 130
    assert "The same command goes on from here" in result.output


def rows(days: list[RunSummary]) -> list[list[str]]:
    stream = io.StringIO()
    Console(file=stream, width=140).print(days_table(days))
    lines = [line for line in stream.getvalue().splitlines() if line.startswith("│")]
    return [[cell.strip() for cell in line.strip("│").split("│")] for line in lines]


def test_each_day_has_a_row_with_its_metrics_and_the_steps_reused() -> None:
    days = [summary(4, state="cached"), summary(5, "refused", value=None), summary(6, "failed")]
    assert rows(days) == [
        ["2022-05-04", "3 d", "pushed", "1004", "0.7000", "2 of 2"],
        ["2022-05-05", "3 d", "refused", "–", "–", "0 of 2"],
        ["2022-05-06", "3 d", "failed", "–", "–", "0 of 2"],
    ]


def test_steps_that_only_look_at_what_is_there_do_not_count_as_work() -> None:
    assert (
        reused_text([summary(4, state="cached"), summary(5, state="cached")])
        == "4 of 4 steps reused"
    )
    assert reused_text([summary(4, state="cached"), summary(5)]) == "2 of 4 steps reused"


def test_the_page_marks_refused_days_and_shows_intervals() -> None:
    blessed = days_page([summary(4), summary(5)])
    refused = days_page([summary(4), summary(5, "refused")])
    # A refused day's marker is filled white.
    assert refused.count("fill: #ffffff") == blessed.count("fill: #ffffff") + 1
    without = dataclasses.replace(summary(4).tasks[0], slices=[])
    shown = days_page([dataclasses.replace(summary(number), tasks=[without]) for number in (4, 5)])
    assert blessed.count("LineCollection") == shown.count("LineCollection") + 2


def test_a_series_of_which_the_first_day_failed_has_a_page_too() -> None:
    assert "2022-05-04" in days_page([summary(4, "failed")])
