"""The trainer's commands: `fulcrum models`, `inspect`, `tune-formula` and `train-worker`."""

from __future__ import annotations

import typer

from trainer.commands.inspect import inspect
from trainer.commands.models import models
from trainer.commands.train_worker import train_worker
from trainer.commands.tune_formula import tune_formula


def add_to(app: typer.Typer) -> None:
    """Register the commands of this package."""
    app.command("models")(models)
    app.command("inspect")(inspect)
    app.command("tune-formula")(tune_formula)
    app.command("train-worker")(train_worker)
