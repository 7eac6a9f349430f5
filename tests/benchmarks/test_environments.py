"""Environments of the systems that benchmarks compare with are installed once."""

from __future__ import annotations

import subprocess

import pytest

from benchmarks import environments


@pytest.fixture
def commands(monkeypatch, tmp_path):
    """The commands that were run; nothing is installed."""
    run = []
    monkeypatch.setattr(environments, "FOLDER", tmp_path)
    monkeypatch.setattr(environments, "REQUIREMENTS", {"peer": ["peer==1.0", "other"]})

    def record(command, check):
        run.append([str(part) for part in command])
        (tmp_path / "peer").mkdir(exist_ok=True)

    monkeypatch.setattr(subprocess, "run", record)
    return run


def test_an_environment_is_installed_once(commands, tmp_path):
    python = environments.python_of("peer")
    assert python == tmp_path / "peer" / "bin" / "python"
    assert commands[1] == [str(python), "-m", "pip", "install", "--quiet", "peer==1.0", "other"]
    assert environments.python_of("peer") == python
    assert len(commands) == 2


def test_an_installation_that_was_cut_short_is_made_anew(commands, monkeypatch, tmp_path):
    record = subprocess.run

    def fail_at_pip(command, check):
        record(command, check)
        if "pip" in command:
            raise subprocess.CalledProcessError(1, command)

    monkeypatch.setattr(subprocess, "run", fail_at_pip)
    with pytest.raises(subprocess.CalledProcessError):
        environments.python_of("peer")
    monkeypatch.setattr(subprocess, "run", record)
    environments.python_of("peer")
    assert ["--clear" in command for command in commands] == [True, False, True, False]


def test_an_environment_of_other_requirements_is_made_anew(commands, monkeypatch):
    environments.python_of("peer")
    monkeypatch.setattr(environments, "REQUIREMENTS", {"peer": ["peer==1.1"]})
    environments.python_of("peer")
    assert commands[3][-1] == "peer==1.1"
