"""The commands of the pipeline, with a module for each."""

from __future__ import annotations

import typer

import pipeline.commands.spec_init  # noqa: F401  (it adds itself to `fulcrum spec`)
from pipeline.commands.backfill import backfill
from pipeline.commands.compile import compile_pipeline
from pipeline.commands.predict import predict
from pipeline.commands.rejects import rejects
from pipeline.commands.report import compare, report
from pipeline.commands.run import run
from pipeline.commands.simulate import simulate
from pipeline.commands.skew import skew


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.command("run")(run)
    app.command("backfill")(backfill)
    app.command("compile")(compile_pipeline)
    app.command("predict")(predict)
    app.command("rejects")(rejects)
    app.command("simulate")(simulate)
    app.command("skew")(skew)
    app.command("report")(report)
    app.command("compare")(compare)
