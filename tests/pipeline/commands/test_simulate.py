"""`fulcrum simulate` on the command line."""

from __future__ import annotations

from pathlib import Path

import typer
from typer.testing import CliRunner

from pipeline.commands.simulate import simulate


def _invoke(*arguments: str):
    app = typer.Typer()
    app.command("simulate")(simulate)
    return CliRunner().invoke(app, list(arguments))


def test_the_command_prints_the_best_metric_of_each_task(tmp_path: Path) -> None:
    result = _invoke(
        "--out", str(tmp_path), "--days", "2", "--rows-per-day", "2000", "--malformed-share", "0.05"
    )
    assert result.exit_code == 0
    assert all(task in result.output for task in ("vtr", "vcr", "shr", "cmr", "ctr"))
    assert "wrong_encoding" in result.output


def test_a_wrong_setting_ends_with_exit_code_1(tmp_path: Path) -> None:
    result = _invoke("--out", str(tmp_path / "logs"), "--days", "1")
    assert result.exit_code == 1
    assert "`days` should be at least 2. Received: 1" in result.stderr
    assert not (tmp_path / "logs").exists()
