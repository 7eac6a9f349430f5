"""The project's files about itself agree with each other: versions, supported Pythons, make targets."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import yaml
from packaging.specifiers import SpecifierSet

import fulcrum

REPOSITORY = Path(__file__).resolve().parents[1]
WORKFLOW = yaml.safe_load((REPOSITORY / ".github/workflows/ci.yml").read_text())
HOOKS = yaml.safe_load((REPOSITORY / ".pre-commit-config.yaml").read_text())["repos"][0]["hooks"]


def _make_targets() -> set[str]:
    return set(re.findall(r"^([a-z-]+):", (REPOSITORY / "Makefile").read_text(), re.MULTILINE))


def test_the_version_is_the_same_everywhere():
    citation = yaml.safe_load((REPOSITORY / "CITATION.cff").read_text())
    assert citation["version"] == fulcrum.__version__
    assert f"\n## {fulcrum.__version__}\n" in (REPOSITORY / "CHANGELOG.md").read_text()
    minor = fulcrum.__version__.rpartition(".")[0]
    assert f"| {minor} | yes |" in (REPOSITORY / "SECURITY.md").read_text()


def test_the_citation_names_both_papers():
    citation = yaml.safe_load((REPOSITORY / "CITATION.cff").read_text())
    assert [paper["doi"] for paper in citation["references"]] == [
        "10.1145/3383313.3412236",  # PLE
        "10.1145/3404835.3463022",  # MSSM
    ]


def test_the_workflow_runs_every_supported_python():
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    supported = SpecifierSet(project["requires-python"])
    versions = [f"3.{minor}" for minor in range(8, 20)]
    assert WORKFLOW["jobs"]["gate"]["strategy"]["matrix"]["python"] == [
        version for version in versions if f"{version}.1" in supported
    ]


def test_workflow_and_hooks_run_make_targets_that_exist():
    commands = [step["run"] for job in WORKFLOW["jobs"].values() for step in job["steps"] if "run" in step]  # fmt: skip
    commands += [hook["entry"] for hook in HOOKS if hook["entry"].startswith("make ")]
    assert {"make lint", "make test", "make demo", "make test-fast"} == set(commands)
    assert {command.removeprefix("make ") for command in commands} <= _make_targets()


def test_make_help_lists_every_target():
    makefile = (REPOSITORY / "Makefile").read_text()
    listed = set(re.findall(r"^([a-z-]+):.*## ", makefile, re.MULTILINE))
    assert listed == _make_targets()
