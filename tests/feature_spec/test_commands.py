"""`fulcrum spec`."""

from __future__ import annotations

import typer
from typer.testing import CliRunner

from feature_spec import commands

app = typer.Typer()
commands.add_to(app)


def test_check_prints_fields_tasks_and_formula():
    result = CliRunner().invoke(app, ["spec", "check", "kuairand"], env={"COLUMNS": "200"})
    assert result.exit_code == 0
    for part in (
        "41 fields",
        "5 tasks",
        "watch_ratio",
        "all exposures",
        "ranking score = click^1 · long_view^1",
        "fingerprint",
    ):
        assert part in result.output


def test_check_prints_mistakes_and_fails(tmp_path):
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text("nam: x\n")
    result = CliRunner().invoke(app, ["spec", "check", str(wrong)])
    assert result.exit_code == 1
    assert "unknown key 'nam': did you mean 'name'?" in result.output.replace("\n", " ")


def test_list_prints_the_ready_specs():
    result = CliRunner().invoke(app, ["spec", "list"])
    assert [line.split("\t")[0] for line in result.output.splitlines()] == ["census_income", "kuairand", "short_video"]
