"""`fulcrum models`."""

from __future__ import annotations

import typer
from typer.testing import CliRunner

from trainer import commands
from trainer.model_settings import MODELS

app = typer.Typer()
commands.add_to(app)
app.callback()(lambda: None)


def test_all_models_are_listed_with_their_settings():
    result = CliRunner().invoke(app, ["models"], env={"COLUMNS": "250"})
    for name in MODELS:
        assert name in result.output
    assert "field_sparsity=True" in result.output


def test_a_models_settings_are_explained():
    result = CliRunner().invoke(app, ["models", "ple"])
    assert "levels: L, levels of extraction." in result.output
    assert "tower_units: hidden units of each task's tower." in result.output


def test_an_unknown_model_is_named_with_the_closest():
    result = CliRunner().invoke(app, ["models", "mmo"])
    assert result.exit_code == 1
    assert "no such model 'mmo': did you mean 'mmoe'" in result.output
