"""`fulcrum spec init`, as typed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from fulcrum import cli

LOG = "user_id,item_id,time,click\n" + "".join(
    f"u{n % 60},i{n % 40},{1_700_000_000 + n * 3_600},{n % 2}\n" for n in range(600)
)


def init(folder: Path, *words: str) -> tuple[int, str]:
    (folder / "log.csv").write_text(LOG)
    result = CliRunner(env={"COLUMNS": "200"}).invoke(
        cli.app, ["spec", "init", str(folder / "log.csv"), *words]
    )
    return result.exit_code, result.output


def test_the_spec_is_written_and_the_next_command_is_told(tmp_path: Path) -> None:
    code, output = init(tmp_path, "--out", str(tmp_path / "new" / "My-Spec 2.yaml"))
    assert code == 0, output
    assert "6 fields" not in output
    assert f"next: fulcrum spec check {tmp_path}/new/My-Spec 2.yaml --logs" in output
    text = (tmp_path / "new" / "My-Spec 2.yaml").read_text()
    assert "\nname: my_spec_2\n" in text
    assert '"decide" marks what only you can know' in text


def test_a_file_that_is_there_is_kept(tmp_path: Path) -> None:
    (tmp_path / "spec.yaml").write_text("mine")
    code, output = init(tmp_path, "--out", str(tmp_path / "spec.yaml"))
    assert code == 1
    assert "the file is there" in output
    assert (tmp_path / "spec.yaml").read_text() == "mine"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--table", "items"], "--table items: give NAME=FILE"),
        (["--table", "items=nowhere.csv"], "there is no file nowhere.csv"),
        (["--columns", "items=a,b"], "--columns items=…: there is no --table items=FILE"),
        (["--columns", "a,b"], "log.csv has 4 columns separated by ','; received 2 names"),
    ],
)
def test_wrong_options_are_refused(tmp_path: Path, words: list[str], message: str) -> None:
    code, output = init(tmp_path, "--out", str(tmp_path / "spec.yaml"), *words)
    assert code == 1
    assert message in output
    assert not (tmp_path / "spec.yaml").exists()


def test_neither_tensorflow_nor_beam_is_loaded(tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text(LOG)
    code = (
        "import sys\nfrom fulcrum.cli import main\n"
        f"sys.argv = ['fulcrum', 'spec', 'init', {str(tmp_path / 'log.csv')!r}, '--out', {str(tmp_path / 's.yaml')!r}]\n"
        "try: main()\n"
        "finally: print({'tensorflow', 'apache_beam', 'tfx'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "set()"
