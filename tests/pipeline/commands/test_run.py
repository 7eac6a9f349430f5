"""`fulcrum run` as far as it needs no TFX: wrong input, exit codes and the JSON file."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner, Result

import pipeline.run.local_run
from pipeline.commands import add_to
from pipeline.run.run_summary import NodeFailure, RunSummary
from pipeline.workspace.root import Root, locked

PUSHED = RunSummary(
    status="pushed", spec="short_video", fingerprint="0123456789abcdef", ingestion=None, tasks=[], ranking=[], baseline_note="",
    drift=None, tuning=None, mtl_gain=None, push_check=None, version=17, newly_pushed=True, components=[], elapsed_s=1.0, log="run.log",
)  # fmt: skip
REFUSED = dataclasses.replace(PUSHED, status="refused", version=None)
FAILED = dataclasses.replace(
    REFUSED,
    status="failed",
    failure=NodeFailure(node="Trainer", cause="ValueError: no", details=""),
)


def run(folder: Path, *arguments: str) -> Result:
    app = typer.Typer()
    add_to(app)
    (folder / "logs").mkdir(exist_ok=True)
    given = [
        "run",
        "--spec",
        "short_video",
        "--logs",
        str(folder / "logs"),
        "--root",
        str(folder / "root"),
        *arguments,
    ]
    return CliRunner().invoke(app, given)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--set", "trainer.epoch=3"], "did you mean 'epochs'"),
        (["--set", "trainr.epochs=3"], "did you mean 'trainer'"),
        (["--set", "trainer.epochs=[three]"], "trainer.epochs"),
        (["--model", "pla"], "did you mean 'ple'"),
        (["--beam", "runner"], "give key=value"),
        (["--spec", "short_vide"], "Ready specs: "),
        (
            ["--set", "logs.exposures={bigquery: {table: 'acme.logs.shown_{day}'}}"],
            "is one day's: run it by span",
        ),
        (["--tune"], "short_video has no section 'tuner'"),
        (
            ["--tune", "--set", "tuner={search: {model.level: {values: [1]}}}"],
            "did you mean 'levels'",
        ),
    ],
)
def test_wrong_settings_are_refused_before_anything_is_written(
    tmp_path: Path, arguments: list[str], message: str
) -> None:
    result = run(tmp_path, *arguments)
    assert result.exit_code == 1
    assert result.output.startswith("Error: ")
    assert message in result.output
    assert not (tmp_path / "root").exists()


def test_wrong_settings_are_refused_without_loading_tfx(tmp_path: Path) -> None:
    program = (
        "import sys, typer; from pipeline.commands import add_to; app = typer.Typer(); add_to(app); "
        + (
            "app(standalone_mode=False); assert 'tfx' not in sys.modules and 'tensorflow' not in sys.modules; print('light')"
        )
    )
    arguments = [
        "run",
        "--spec",
        "short_video",
        "--logs",
        str(tmp_path),
        "--root",
        str(tmp_path / "root"),
        "--set",
        "trainer.epoch=3",
    ]
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=False
    )
    assert done.stdout == "light\n", done.stderr


def test_a_folder_of_logs_that_does_not_exist_is_wrong_usage(tmp_path: Path) -> None:
    assert run(tmp_path, "--logs", str(tmp_path / "nowhere")).exit_code == 2


@pytest.mark.parametrize("command", ["run", "backfill"])
@pytest.mark.parametrize(
    ("root", "said"),
    [
        ("/proc/nope", "Error: --root /proc/nope: cannot be written: No such file or directory"),
        ("{}/file/root", "Error: --root {}/file/root: cannot be written: Not a directory"),
        ("{}/a [b]", "Error: --root '{}/a [b]': has the character '['"),
        ("{}/a*", "Error: --root '{}/a*': has the character '*'"),
    ],
)
def test_a_root_that_cannot_be_used_is_told_in_one_line(
    tmp_path: Path, command: str, root: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.run.backfill.backfill_windows", lambda *_: [None])
    (tmp_path / "file").touch()
    (tmp_path / "logs").mkdir()
    days = ["--from", "2022-05-03", "--to", "2022-05-03"] if command == "backfill" else []
    app = typer.Typer()
    add_to(app)
    result = CliRunner().invoke(
        app,
        [command, "--spec", "short_video", "--logs", f"{tmp_path}/logs", "--root", root.format(tmp_path), *days],
    )  # fmt: skip
    assert result.exit_code == 1
    assert [line for line in result.stderr.splitlines() if line.startswith(said.format(tmp_path))]
    assert result.exception is None or isinstance(result.exception, SystemExit)


@pytest.mark.parametrize("file", ["/proc/nope.json", "/proc/nope/inner.json"])
def test_a_json_file_that_cannot_be_written_is_told_before_the_work(
    tmp_path: Path, file: str
) -> None:
    result = run(tmp_path, "--json", file)
    assert result.exit_code == 2
    assert "cannot be" in result.stderr
    assert not (tmp_path / "root").exists()


def test_a_root_in_use_is_refused(tmp_path: Path) -> None:
    with locked(tmp_path / "root" / "run.lock"):
        result = run(tmp_path)
    assert result.exit_code == 1
    assert result.output.startswith("Error: another run (process ")


def test_the_root_of_another_spec_is_refused(tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    Root(tmp_path / "root").claim("kuairand")
    result = run(tmp_path)
    assert result.exit_code == 1
    assert (
        "holds the models of spec 'kuairand': give another --root for 'short_video'"
        in result.output
    )


@pytest.mark.parametrize(("summary", "exit_code"), [(PUSHED, 0), (FAILED, 1), (REFUSED, 3)])
def test_the_exit_code_tells_how_the_run_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, summary: RunSummary, exit_code: int
) -> None:
    monkeypatch.setattr(pipeline.run.local_run, "run_locally", lambda *_, **__: summary)
    assert run(tmp_path).exit_code == exit_code


def test_an_interrupted_run_says_how_to_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: Any, **__: Any) -> RunSummary:
        raise KeyboardInterrupt

    monkeypatch.setattr(pipeline.run.local_run, "run_locally", interrupted)
    result = run(tmp_path)
    assert result.exit_code == 130
    assert "The same command goes on from here" in result.output


@pytest.mark.parametrize("summary", [PUSHED, FAILED, REFUSED])
def test_the_json_file_is_written_however_the_run_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, summary: RunSummary
) -> None:
    monkeypatch.setattr(pipeline.run.local_run, "run_locally", lambda *_, **__: summary)
    run(tmp_path, "--json", str(tmp_path / "summary.json"))
    assert json.loads((tmp_path / "summary.json").read_text()) == summary.as_dict()


def test_paths_and_options_reach_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    received: dict[str, Any] = {}

    def remember(spec: Any, **settings: Any) -> RunSummary:
        received.update(settings, spec=spec)
        return PUSHED

    monkeypatch.setattr(pipeline.run.local_run, "run_locally", remember)
    monkeypatch.chdir(tmp_path)
    run(
        tmp_path,
        "--root",
        "root",
        "--model",
        "shared_bottom",
        "--set",
        "trainer.epochs=3",
        "--beam",
        "runner=FlinkRunner",
    )
    assert received["root"].folder == tmp_path / "root"
    assert received["beam_arguments"] == ["--direct_running_mode=in_memory", "--runner=FlinkRunner"]
    settings = json.loads(received["trainer_settings"])
    assert settings["name"] == "shared_bottom"
    assert settings["trainer"]["epochs"] == 3
