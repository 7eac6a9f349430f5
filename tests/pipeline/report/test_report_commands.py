"""`fulcrum report` and `fulcrum compare`, as far as they go without a pipeline root."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from pipeline.commands import add_to
from pipeline.report.data.run_data import RunData
from pipeline.report.run_lookup import find_runs
from pipeline.report.run_report import run_report

pytestmark = pytest.mark.usefixtures("without_plotly")


@pytest.fixture
def reports(run: RunData, tmp_path: Path) -> tuple[Path, Path]:
    """The file of a report, and the folder of a Report artifact."""
    file, folder = tmp_path / "first.html", tmp_path / "17"
    folder.mkdir()
    file.write_text(run_report(run), encoding="utf-8")
    (folder / "report.html").write_text(
        run_report(dataclasses.replace(run, version=18)), encoding="utf-8"
    )
    return file, folder


def call(*arguments: object) -> Result:
    app = typer.Typer()
    add_to(app)
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_reports_are_compared_by_model_and_time_and_where_these_agree_by_place(
    reports: tuple[Path, Path], tmp_path: Path
) -> None:
    out = tmp_path / "comparison.html"
    ended = call("compare", *reports, "--out", out)
    assert ended.exit_code == 0, ended.output
    page = out.read_text(encoding="utf-8")
    told = "ple, 2026-01-07 08:30"
    assert all(f'<th scope="row">{told} ({name})</th>' in page for name in reports)
    assert all(f"<td>{name}</td>" in page for name in reports)
    assert "<td>1767775000</td>" in page
    assert "<td>18</td>" in page


def test_runs_are_named_by_their_models_and_times(run: RunData, tmp_path: Path) -> None:
    times = ("2026-01-07T08:30:15", "2026-01-08T09:00:00")
    files = [tmp_path / f"{number}.html" for number in range(2)]
    for file, model, began in zip(files, ("ple", "mmoe"), times, strict=True):
        page = run_report(dataclasses.replace(run, model=model, began=began))
        file.write_text(page, encoding="utf-8")
    found = find_runs([str(file) for file in files])
    assert [one.name for one in found] == ["ple, 2026-01-07 08:30", "mmoe, 2026-01-08 09:00"]
    assert [one.place for one in found] == [str(file) for file in files]


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["only"], "a comparison needs at least two runs, received 1"),
        (
            ["missing", "other"],
            "missing is neither a pipeline root, nor ROOT@NUMBER for one of its runs, nor the file of a report",
        ),
    ],
)
def test_what_cannot_be_compared_is_refused_with_what_is_valid(
    arguments: list[str], complaint: str
) -> None:
    ended = call("compare", *arguments)
    assert ended.exit_code == 1
    assert complaint in ended.output


def test_a_run_is_not_compared_with_itself(reports: tuple[Path, Path]) -> None:
    ended = call("compare", reports[0], reports[0])
    assert ended.exit_code == 1
    assert "the same run is named more than once" in ended.output


def test_a_folder_that_is_no_root_is_refused(tmp_path: Path) -> None:
    ended = call("report", "--root", tmp_path)
    assert ended.exit_code == 1
    assert "is no pipeline root" in ended.output
    assert not (tmp_path / "report.html").exists()
