"""The command makes its tables, and goes on where it stopped."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[3]


def papers(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "benchmarks.papers", *map(str, arguments)]
    return subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)


@pytest.mark.slow
@pytest.mark.tensorflow
def test_synthetic_data_give_gains_and_finished_trainings_are_not_repeated(tmp_path):
    arguments = [
        "--dataset",
        "synthetic",
        "--models",
        "shared_bottom",
        "--settings",
        "fast",
        "--seeds",
        1,
        "--rows",
        1500,
        "--jobs",
        1,
    ]
    arguments += ["--correlation", 0.75]
    arguments += [
        "--work",
        tmp_path / "work",
        "--json",
        tmp_path / "figures.json",
        "--picture",
        tmp_path / "gains.svg",
    ]
    first = papers(*arguments)
    assert first.returncode == 0, first.stderr
    report = json.loads((tmp_path / "figures.json").read_text())
    assert set(report["variants"]) == {"0.75"}
    models = report["variants"]["0.75"]["models"]
    assert {facts["setting"] for facts in models.values()} == {"fast"}
    # Of an error, lower is better.
    single, shared = (models[name]["tasks"]["y1"] for name in ("single_task", "shared_bottom"))
    assert shared["gain"] == pytest.approx(single["mean"] - shared["mean"])
    assert "<svg" in (tmp_path / "gains.svg").read_text()

    again = papers(*arguments)
    assert again.returncode == 0, again.stderr
    assert "validation" in first.stdout
    assert "validation" not in again.stdout
    assert json.loads((tmp_path / "figures.json").read_text()) == report


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--dataset", "kuairnd"], "did you mean 'kuairand'"),
        (["--dataset", "census"], "needs --data"),
        (["--dataset", "synthetic", "--models", "plee"], "did you mean 'ple'"),
        (["--dataset", "synthetic", "--settings", "slow,fest"], "no such setting 'fest'"),
        (
            ["--dataset", "census", "--data", ".", "--picture", "gains.svg"],
            "needs --dataset synthetic",
        ),
        (["--dataset", "census", "--data", "."], "lacks census-income.data.bz2"),
        (["--dataset", "census", "--data", ".", "--tasks", "incom"], "did you mean 'income'"),
    ],
)
def test_a_wrong_option_is_named_with_what_is_valid(arguments, message, tmp_path):
    from typer.testing import CliRunner

    from benchmarks.papers.__main__ import app

    result = CliRunner(env={"COLUMNS": "300"}).invoke(app, [*arguments, "--work", str(tmp_path)])
    assert result.exit_code == 2
    assert message in result.output
