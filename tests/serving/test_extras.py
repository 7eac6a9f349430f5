"""What works with the base installation alone, and with one extra alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import venv

import pytest

from tests.wheel import REPOSITORY, built_wheel, installed_by

pytestmark = [pytest.mark.slow, pytest.mark.tensorflow]

# Refuses every distribution that is not ALLOWED, by an import hook of the child process.
REFUSE_OTHERS = """
import sys
from importlib.metadata import packages_distributions
from packaging.utils import canonicalize_name

installed = packages_distributions()

class Refuse:
    def find_spec(self, name, path=None, target=None):
        owners = {canonicalize_name(owner) for owner in installed.get(name.partition(".")[0], ())}
        if owners and not owners & ALLOWED:
            raise ModuleNotFoundError(f"No module named {name!r} in the base", name=name)

for module in [module for module in sys.modules if module.partition(".")[0] == "packaging"]:
    del sys.modules[module]
sys.meta_path.insert(0, Refuse())
for name in REFUSED:
    try: __import__(name)
    except ModuleNotFoundError: pass
    else: sys.exit(f"{name} is not refused")
"""


def refuse_all_but(extra: str = "") -> str:
    """The program that refuses what `pip install fulcrum-ranker[extra]` does not install."""
    refused = ["tfx", "apache_beam", *([] if extra else ["tensorflow"])]
    return f"ALLOWED = {installed_by(extra)!r}\nREFUSED = {refused!r}\n{REFUSE_OTHERS}"


RANK_BOTH_WAYS = """
import asyncio, json, sys
from pathlib import Path
from fulcrum import AsyncRankingClient, Candidate, RankingClient, RankingRequest, RequestLog, load_spec

target, spec, log = sys.argv[1], load_spec(sys.argv[2]), RequestLog(Path(sys.argv[3]), sampling_rate=1.0)
request = RankingRequest(
    user={"user_id": "fan"},
    candidates=[
        Candidate(id="low", fields={"video_id": "v1", "quality": 0.2, "duration_s": 10.0}),
        Candidate(id="high", fields={"video_id": "v2", "quality": 0.9, "duration_s": 10.0}),
    ],
)

async def rank():
    async with AsyncRankingClient(target, spec, timeout_ms=600_000.0) as client:
        return await client.rank(request)

with log, RankingClient(target, spec, timeout_ms=600_000.0, request_log=log) as client:
    client.check()
    orders = [client.rank(request), asyncio.run(rank())]
heavy = [name for name in ("tensorflow", "tf_keras", "tfx", "apache_beam") if name in sys.modules]
print(json.dumps([[[ranked.candidate.id for ranked in order] for order in orders], heavy]))
"""


@pytest.fixture
def target(push, serve):
    """The address of a local model server with a toy model."""
    push(1)
    return f"127.0.0.1:{serve().port}"


def _orders(python, code, target, toy_spec_text, folder, **environment):
    spec = folder / "toy.yaml"
    spec.write_text(toy_spec_text)
    done = subprocess.run(
        [python, "-c", code, target, spec, folder / "log"],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        env={**os.environ, **environment},
    )
    assert done.returncode == 0, done.stderr
    orders, heavy = json.loads(done.stdout.splitlines()[-1])
    assert heavy == []
    return orders


def test_the_client_ranks_with_nothing_that_an_extra_installs(target, toy_spec_text, tmp_path):
    orders = _orders(
        sys.executable,
        refuse_all_but() + RANK_BOTH_WAYS,
        target,
        toy_spec_text,
        tmp_path,
        PYTHONPATH=str(REPOSITORY),
    )
    assert orders == [["high", "low"], ["high", "low"]]


def test_the_client_ranks_from_a_new_environment_with_the_base_alone(
    target, toy_spec_text, tmp_path
):
    venv.create(tmp_path / "venv", with_pip=True)
    python = tmp_path / "venv" / "bin" / "python"
    pip = [python, "-m", "pip", "--disable-pip-version-check"]
    reached = subprocess.run(
        [
            *pip,
            "download",
            "--quiet",
            "--no-deps",
            "--retries=0",
            "--dest",
            tmp_path / "tried",
            "typer",
        ],
        capture_output=True,
        check=False,
    )
    if reached.returncode:
        pytest.skip("no package registry can be reached")
    wheel = built_wheel(tmp_path)
    subprocess.run([*pip, "install", "--quiet", wheel], check=True)
    orders = _orders(python, RANK_BOTH_WAYS, target, toy_spec_text, tmp_path)
    assert orders == [["high", "low"], ["high", "low"]]
    listed = subprocess.run(
        [*pip, "list", "--format=json"], capture_output=True, text=True, check=True
    )
    names = {package["name"].lower().replace("_", "-") for package in json.loads(listed.stdout)}
    assert "fulcrum-ranker" in names
    assert not names & {"tensorflow", "tf-keras", "keras", "tfx", "apache-beam", "pyarrow"}


def _command(*words):
    """A command of the command line where the extras are refused."""
    code = f"{refuse_all_but()}\nfrom fulcrum.cli import main\nsys.argv = {['fulcrum', *words]!r}\nmain()"
    return subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
    )


def test_the_command_line_checks_a_spec_and_ranks_without_extras(target, toy_spec_text, tmp_path):
    spec, request = tmp_path / "toy.yaml", tmp_path / "request.json"
    spec.write_text(toy_spec_text)
    candidates = [{"id": f"v{number}", "quality": number / 10} for number in (2, 9)]
    request.write_text(json.dumps({"user": {"user_id": "fan"}, "candidates": candidates}))
    checked = _command("spec", "check", str(spec))
    assert checked.returncode == 0, checked.stderr
    ranked = _command(
        "rank", "--request", str(request), "--spec", str(spec), "--target", target, "--explain"
    )
    assert ranked.returncode == 0, ranked.stderr
    assert ranked.stdout.index("v9") < ranked.stdout.index("v2")


@pytest.mark.parametrize(
    ("words", "extra"),
    [
        (["simulate", "--out", "logs"], "pipeline"),
        (["run", "--spec", "short_video", "--logs", ".", "--root", "root"], "pipeline"),
        (["serve", "--root", "root"], "serve"),
        (["tune-formula", "--model", ".", "--objective", "ctr"], "trainer"),
    ],
)  # fmt: skip
def test_a_command_of_an_extra_names_it(words, extra):
    done = _command(*words)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].endswith(f"pip install 'fulcrum-ranker[{extra}]'")
    assert done.stderr.startswith(f"fulcrum {words[0]} needs ")


@pytest.mark.parametrize(
    ("extra", "parts"),
    [
        (
            "trainer",
            [
                "fulcrum.layers",
                "fulcrum.models",
                "trainer.formula_search",
                "trainer.inspect",
                "trainer.export",
            ],
        ),
        ("serve", ["serving.model_server", "serving.ui"]),
    ],
)
def test_an_extra_alone_is_enough_for_its_part(extra, parts):
    code = (
        f"{refuse_all_but(extra)}\nimport importlib, pkgutil\n"
        f"for part in map(importlib.import_module, {parts!r}):\n"
        "    for name in getattr(part, '__all__', ()): getattr(part, name)\n"
        "    for module in pkgutil.walk_packages(getattr(part, '__path__', ()), part.__name__ + '.'):\n"
        "        importlib.import_module(module.name)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    # Tests of the trainer choose Keras 2 for their process; a server's needs no Keras.
    environment.pop("TF_USE_LEGACY_KERAS", None)
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, env=environment
    )
    assert done.returncode == 0, done.stderr
