"""The public face: what `__all__` lists can be imported, and nothing public is missing from it."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import fulcrum

PACKAGES = ("fulcrum", "fulcrum.layers", "fulcrum.models", "fulcrum.components")
HEAVY = ("tensorflow", "tf_keras", "tfx", "apache_beam", "pydantic", "grpc", "numpy", "pyarrow", "typer")  # fmt: skip


def _type_checked_imports(package):
    """What static tools see: each name that is imported under `TYPE_CHECKING`, and from where."""
    tree = ast.parse(Path(importlib.import_module(package).__file__).read_text(encoding="utf-8"))
    (block,) = (node for node in tree.body if isinstance(node, ast.If))
    assert ast.unparse(block.test) == "TYPE_CHECKING"
    return {alias.name: node.module for node in block.body for alias in node.names}


@pytest.mark.parametrize("package", PACKAGES)
def test_public_names_are_sorted(package):
    names = importlib.import_module(package).__all__
    # As ruff's RUF022 has it: constants, classes, all else.
    assert names == sorted(names, key=lambda name: (not name.isupper(), name[0].islower() or name[0] == "_", name))  # fmt: skip


@pytest.mark.parametrize("package", PACKAGES)
def test_people_and_static_tools_see_the_same_names_from_the_same_homes(package):
    module = importlib.import_module(package)
    seen = _type_checked_imports(package)
    submodules = {name: home for name, home in seen.items() if home == "fulcrum"}
    assert {name: home for name, home in seen.items() if home != "fulcrum"} == module._HOMES
    assert set(module.__all__) - {"__version__"} == module._HOMES.keys() | submodules.keys()
    assert set(module.__all__) <= set(dir(module))


@pytest.mark.parametrize("package", PACKAGES[:1])
def test_every_name_is_importable_and_lives_where_its_home_says(package):
    _assert_homes(package)


@pytest.mark.slow
@pytest.mark.tensorflow
@pytest.mark.parametrize("package", PACKAGES[1:])
def test_every_name_is_importable_and_lives_where_its_home_says_with_its_extra(package):
    _assert_homes(package)


def _assert_homes(package):
    module = importlib.import_module(package)
    for name, home in module._HOMES.items():
        value = getattr(module, name)
        assert value is getattr(importlib.import_module(home), name)
        # A type alias has no module of its own.
        assert getattr(value, "__module__", home) in (home, "types"), name


def test_every_public_error_of_the_client_is_public():
    from serving import errors

    assert {
        name
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, errors.RankingError)
    } <= set(fulcrum.__all__)


def test_every_kind_of_field_is_public():
    from feature_spec.fields import field

    concrete = {
        name
        for name, value in vars(field).items()
        if isinstance(value, type) and issubclass(value, field.BaseField) and "kind" in value.model_fields
    }  # fmt: skip
    assert len(concrete) == 5
    assert concrete <= set(fulcrum.__all__)


@pytest.mark.slow
@pytest.mark.tensorflow
def test_every_public_model_is_one_that_a_run_can_choose():
    from fulcrum import models
    from trainer.settings.model_config import MODELS

    homes = dict(reversed(settings.architecture.split(":")) for settings in MODELS.values())
    assert len(homes) == len(MODELS)
    assert models._HOMES.items() - {("SharingArchitecture", "trainer.models.sharing_architecture")} <= homes.items()  # fmt: skip


def test_importing_the_face_and_its_modules_loads_nothing_heavy():
    code = (
        f"import sys\nfor name in {PACKAGES!r}: __import__(name)\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    assert _python(code).stdout.splitlines()[-1] == "[]"


def test_the_client_and_the_spec_need_no_extra():
    # The history stores and predictions of logs are in extras of their own.
    code = (
        "import sys, fulcrum\n"
        "for name in {*fulcrum.__all__} - {'LmdbHistoryStore', 'RedisHistoryStore', 'PredictedTask', 'Predictions', 'predict'}: getattr(fulcrum, name)\n"
        "print([name for name in ('tensorflow', 'tf_keras', 'tfx', 'apache_beam', 'numpy') if name in sys.modules])"
    )
    assert _python(code).stdout.splitlines()[-1] == "[]"


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'fulcrum' has no attribute 'RankingCleint'"):
        _ = fulcrum.RankingCleint


@pytest.mark.parametrize(
    ("name", "blocked", "message"),
    [
        ("models.PLE", "tensorflow", "fulcrum.models.PLE needs TensorFlow: pip install 'fulcrum-ranker[trainer]'"),
        ("components.Evaluator", "apache_beam", "fulcrum.components.Evaluator needs Apache Beam: pip install 'fulcrum-ranker[pipeline]'"),
    ],
)  # fmt: skip
def test_a_missing_extra_is_named(name, blocked, message):
    code = (
        f"import sys\nsys.modules[{blocked!r}] = None\nimport fulcrum\n"
        f"try: fulcrum.{name}\nexcept ImportError as error: print(error)"
    )
    assert _python(code).stdout.splitlines()[-1] == message


@pytest.mark.parametrize(
    ("words", "blocked", "message"),
    [
        (["serve", "--root"], "tensorflow", "fulcrum serve needs TensorFlow: pip install 'fulcrum-ranker[serve]'"),
        (["run", "--spec", "short_video", "--logs", ".", "--root"], "tfx", "fulcrum run needs TFX: pip install 'fulcrum-ranker[pipeline]'"),
    ],
)  # fmt: skip
def test_a_command_names_the_extra_that_it_lacks(words, blocked, message, tmp_path):
    code = (
        f"import sys\nsys.modules[{blocked!r}] = None\nfrom fulcrum.cli import main\n"
        f"sys.argv = {['fulcrum', *words, str(tmp_path)]!r}\nmain()"
    )
    done = _python(code, check=False)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == message


def test_the_package_runs_as_a_command():
    done = subprocess.run(
        [sys.executable, "-m", "fulcrum", "--help"], capture_output=True, text=True, check=True
    )
    assert "fulcrum simulate, fulcrum run, fulcrum serve, fulcrum rank" in done.stdout


def _python(code, check=True):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=check)
