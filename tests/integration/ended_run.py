"""A command of the pipeline, run in the tests' own process, so that TFX is imported once."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer
from typer.testing import CliRunner

from pipeline.commands import add_to


@dataclass(frozen=True)
class EndedRun:
    """How a command ended, and what its JSON file says; empty if it wrote none."""

    exit_code: int
    output: str
    summary: dict[str, Any]

    @property
    def states(self) -> dict[str, str]:
        """Of the nodes of a run, by name."""
        return states_of(self.summary)

    @property
    def days(self) -> list[dict[str, Any]]:
        """Summaries of the days of a series."""
        return self.summary["days"]


def states_of(summary: dict[str, Any]) -> dict[str, str]:
    """States of a run's nodes, by name."""
    return {run["node"]: run["state"] for run in summary["components"]}


def run_command(arguments: list[str], report: Path) -> EndedRun:
    """Runs a command that writes a JSON file.

    Args:
        arguments: the command and its options.
        report: where the JSON file goes.
    """
    app = typer.Typer()
    add_to(app)
    report.unlink(missing_ok=True)
    result = CliRunner().invoke(app, [*arguments, "--json", str(report)])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    summary = json.loads(report.read_text(encoding="utf-8")) if report.exists() else {}
    return EndedRun(exit_code=result.exit_code, output=result.output, summary=summary)
