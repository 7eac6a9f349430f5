"""The page `docs/first_log.md`: its commands lead from files of those layouts to a checked spec."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from fulcrum import cli
from tests.pipeline.spec_init.conftest import ali_ccp, movielens, taobao
from tests.wheel import REPOSITORY

PAGE = (REPOSITORY / "docs/first_log.md").read_text(encoding="utf-8")


def commands(section: str) -> list[list[str]]:
    """The commands of a section, each as its words."""
    text = PAGE[PAGE.index(f"## {section}") :].partition("\n## ")[0].replace("\\\n", " ")
    return [shlex.split(line)[1:] for line in re.findall(r"^    (fulcrum .*)$", text, re.MULTILINE)]


def write_files(folder: Path) -> None:
    (folder / "ml-100k").mkdir()
    for name, content in movielens().items():
        (folder / "ml-100k" / name).write_bytes(content)
    (folder / "UserBehavior.csv").write_text(taobao())
    (folder / "ali_ccp").mkdir()
    (folder / "ali_ccp" / "sample.csv").write_text(ali_ccp())


@pytest.mark.parametrize(
    "section",
    ["Ratings with two tables", "Events in one file", "Odd names, neither keys nor time"],
)
def test_the_commands_of_the_page_propose_a_spec_that_fits_its_logs(
    section: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_files(tmp_path)
    monkeypatch.chdir(tmp_path)
    propose, check, run, *_ = commands(section)
    assert (propose[:2], check[:2], run[0]) == (["spec", "init"], ["spec", "check"], "run")
    for command in (propose, check):
        result = CliRunner(env={"COLUMNS": "200"}).invoke(cli.app, command)
        assert result.exit_code == 0, result.output
    assert "Error" not in result.output
    assert "positives of" in result.output
    # The run reads what was written and checked.
    assert run[run.index("--spec") + 1] == propose[propose.index("--out") + 1] == check[2]
    assert run[run.index("--logs") + 1] == check[check.index("--logs") + 1]


def test_histories_are_taken_by_taking_the_marks_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_files(tmp_path)
    monkeypatch.chdir(tmp_path)
    propose, check, *_ = commands("Events in one file")
    CliRunner().invoke(cli.app, propose)
    text = Path("taobao.yaml").read_text()
    before, mark, histories = text.partition("# histories:\n")
    Path("taobao.yaml").write_text(before + (mark + histories).replace("# ", "").replace("#", ""))
    result = CliRunner(env={"COLUMNS": "200"}).invoke(cli.app, check)
    assert result.exit_code == 0, result.output
    assert "of_user_category" in result.output
