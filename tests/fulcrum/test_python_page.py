"""docs/python.md: its programs run, and it names every public name."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import fulcrum
from fulcrum import components

PAGE = (Path(__file__).parents[2] / "docs" / "python.md").read_text(encoding="utf-8")
SPEC, KERAS, TFX = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)


def printed_by(program: str, folder: Path) -> str:
    return subprocess.run(
        [sys.executable, "-c", program], cwd=folder, capture_output=True, text=True, check=True
    ).stdout


def test_the_spec_is_shown(tmp_path):
    lines = printed_by(SPEC, tmp_path).splitlines()
    spec = fulcrum.load_spec("short_video")
    assert [line.split()[0] for line in lines[:-1]] == list(spec.tasks)
    assert lines[-1] == str(spec.ranking_formula.weights)


@pytest.mark.slow
@pytest.mark.tensorflow
def test_the_keras_model_gives_a_logit_for_each_example_and_task(tmp_path):
    assert printed_by(KERAS, tmp_path) == "{'click': TensorShape([5]), 'like': TensorShape([5])}\n"


@pytest.mark.slow
@pytest.mark.tensorflow
def test_the_components_make_a_pipeline(tmp_path):
    assert printed_by(TFX, tmp_path) == "['LogsExampleGen', 'SpecSchema', 'StatisticsGen']\n"


@pytest.mark.parametrize("module", [fulcrum, components], ids=lambda module: module.__name__)
def test_every_public_name_is_on_the_page(module):
    assert set(module.__all__) <= {*re.findall(r"`(\w+)`", PAGE), "__version__"}
