"""`fulcrum train-worker` with TensorFlow; tests/trainer/distribute has trainings of several workers."""

from __future__ import annotations

import json

import pytest
import typer
from typer.testing import CliRunner

from trainer import commands

pytest.importorskip("tensorflow")

pytestmark = [pytest.mark.tensorflow, pytest.mark.slow]

app = typer.Typer()
commands.add_to(app)
app.callback()(lambda: None)


def test_a_worker_with_nothing_to_train_says_so(tmp_path):
    other = {"cluster": {"worker": ["a:1", "b:1"]}, "task": {"type": "worker", "index": 1}}
    result = CliRunner().invoke(
        app,
        ["train-worker", "--root", str(tmp_path), "--wait-s", "0"],
        env={"TF_CONFIG": json.dumps(other)},
    )
    assert result.exit_code == 1
    assert "no training was under way within 0 s" in result.output
