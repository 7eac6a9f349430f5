"""`fulcrum models` and `fulcrum train-worker`, as far as they need no TensorFlow."""

from __future__ import annotations

import json
import re
import sys

import pytest
import typer
from typer.testing import CliRunner

from feature_spec.yaml_text import read_yaml
from trainer import commands
from trainer.settings.model_config import MODELS

app = typer.Typer()
commands.add_to(app)
app.callback()(lambda: None)


def test_all_models_are_listed_with_their_settings():
    result = CliRunner().invoke(app, ["models"], env={"COLUMNS": "250"})
    for name in MODELS:
        assert name in result.output
    assert "field_sparsity=true" in result.output


def test_a_models_settings_are_a_table_with_defaults_and_meanings():
    result = CliRunner().invoke(app, ["models", "ple"], env={"COLUMNS": "100"})
    rows = [re.split(r"\s{2,}", line.strip()) for line in result.output.splitlines()]
    assert ["levels", "2", "L, the number of levels."] in rows
    assert ["tower_units", "[64, 32]", "hidden units of each task's tower."] in rows
    assert ["task_groups", "null", "lists of tasks, such as `[[click, like], [long_view,"] in rows
    assert result.output.startswith("Progressive Layered Extraction: levels of CGC")


@pytest.mark.parametrize("name", MODELS)
def test_every_setting_of_every_model_has_a_default_and_a_meaning(name):
    result = CliRunner().invoke(app, ["models", name], env={"COLUMNS": "300"})
    rows = [re.split(r"\s{2,}", line.strip()) for line in result.output.splitlines()]
    explained = {row[0]: row[1] for row in rows if len(row) == 3}
    defaults = MODELS[name]().model_dump()
    assert {key: read_yaml(explained[key], "a default") for key in defaults} == defaults


def test_an_unknown_model_is_named_with_the_closest():
    result = CliRunner().invoke(app, ["models", "mmo"])
    assert result.exit_code == 1
    assert "no such model 'mmo': did you mean 'mmoe'" in result.output


def train_worker(root, tf_config):
    return CliRunner().invoke(
        app, ["train-worker", "--root", str(root), "--wait-s", "0"], env={"TF_CONFIG": tf_config}
    )


def test_a_worker_without_a_cluster_says_what_it_needs(tmp_path):
    result = train_worker(tmp_path, None)
    assert result.exit_code == 1
    assert "needs TF_CONFIG in the environment of every worker (received nothing)" in result.output


def test_the_chief_is_told_to_run_the_pipeline(tmp_path):
    chief = {"cluster": {"worker": ["a:1", "b:1"]}, "task": {"type": "worker", "index": 0}}
    result = train_worker(tmp_path, json.dumps(chief))
    assert result.exit_code == 1
    assert "TF_CONFIG makes this the chief (worker 0), which is `fulcrum run`" in result.output


def test_a_missing_extra_shows_before_the_wait_for_the_chief(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "trainer.fit.training", None)
    other = {"cluster": {"worker": ["a:1", "b:1"]}, "task": {"type": "worker", "index": 1}}
    result = train_worker(tmp_path, json.dumps(other))
    assert isinstance(result.exception, ModuleNotFoundError)
    assert "waits" not in result.output
