"""Packages that load what they name when it is used, in processes of their own."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.tensorflow]  # each process imports TensorFlow

SEEN = "import sys; import {first}; seen = lambda *names: [n for n in names if n in sys.modules]; {rest}"


def printed(first: str, rest: str) -> str:
    code = SEEN.format(first=first, rest=rest)
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.strip()


def test_the_dag_loads_nothing_that_no_run_uses() -> None:
    """TensorFlow's and Beam's own imports aside, a run would wait seconds for these."""
    unused = [
        "tensorflow_model_analysis.metrics", "tfx.components.infra_validator.component", "kubernetes", "nltk",
        "keras_tuner", "sklearn", "matplotlib", "IPython",
    ]  # fmt: skip
    assert printed("pipeline.pipeline", f"print(seen(*{unused}))") == "[]"


def test_a_package_still_has_every_name_that_it_imports() -> None:
    """Those of its own modules, modules themselves, and what only its `__init__.py` makes."""
    rest = (
        "from tfx.components import Evaluator, Tuner, InfraValidator;"
        "from tfx.components.evaluator.component import Evaluator as E;"
        "import tensorflow_model_analysis as tfma, tensorflow_data_validation as tfdv;"
        "from tensorflow_model_analysis.proto.config_pb2 import EvalConfig;"
        "print(Evaluator is E, tfma.EvalConfig is EvalConfig, callable(tfma.load_eval_result),"
        "tfma.slicer.__name__, bool(tfma.__version__), bool(tfdv.__version__),"
        "callable(tfdv.load_statistics), 'EvalConfig' in tfma.__all__)"
    )
    expected = "True True True tensorflow_model_analysis.slicer True True True True"
    assert printed("pipeline", rest) == expected


def test_a_name_that_a_package_lacks_is_an_attribute_error() -> None:
    rest = "import tfx, tensorflow_data_validation as t; print(hasattr(t, 'no_such_name'))"
    assert printed("pipeline", rest) == "False"
