"""The programs in examples/ run, and the page lists them all."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from feature_spec.loading import load_spec
from tests.test_documentation import COMMANDS, options_in, options_of
from tests.wheel import REPOSITORY

EXAMPLES = REPOSITORY / "examples"


def printed_by(example: str, folder: Path) -> list[str]:
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / example)],
        cwd=folder, capture_output=True, text=True, check=False,
        env={"PYTHONPATH": str(REPOSITORY), "TF_CPP_MIN_LOG_LEVEL": "3", "HOME": str(folder)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def loaded(example: str) -> ModuleType:
    described = importlib.util.spec_from_file_location(example, EXAMPLES / f"{example}.py")
    assert described is not None
    assert described.loader is not None
    module = importlib.util.module_from_spec(described)
    sys.modules[example] = module
    described.loader.exec_module(module)
    return module


def test_the_gallery_lists_every_example() -> None:
    page = (REPOSITORY / "docs" / "gallery.md").read_text(encoding="utf-8")
    names = {path.name for path in EXAMPLES.iterdir() if path.is_file()}
    assert names == set(re.findall(r"^\| `([\w.]+)` \|", page, re.MULTILINE))


def test_the_first_models_commands_have_the_options_that_they_are_given() -> None:
    lines = (EXAMPLES / "first_model.sh").read_text(encoding="utf-8").splitlines()
    commands = [line.partition("#")[0] for line in lines if line.startswith("fulcrum ")]
    assert len(commands) == 7
    for line in commands:
        [name] = [name for name in COMMANDS if re.match(rf"{name}(?![\w-])", line)]
        assert options_in(line) <= options_of(name)


@pytest.mark.slow
def test_a_notebooks_table_becomes_logs_and_a_spec_that_fit_each_other(tmp_path: Path) -> None:
    from pipeline.ingest.log_check import check_logs
    from pipeline.ingest.settings.ingest_config import IngestSettings

    printed = printed_by("notebook.py", tmp_path)
    assert printed[0] == "{'like': 'binary', 'share': 'binary'}"
    assert (
        printed[2]
        == "fulcrum run --spec notebook/films.yaml --logs notebook/logs --root runs/films"
    )
    spec = load_spec(tmp_path / "notebook" / "films.yaml")
    files = check_logs(IngestSettings.from_spec(spec), str(tmp_path / "notebook" / "logs"))
    assert len(files.sources[None]) == 4


@pytest.mark.slow
@pytest.mark.tensorflow
def test_an_architecture_of_ones_own_learns_beside_ple(tmp_path: Path) -> None:
    losses = dict(line.split() for line in printed_by("sharing_architecture.py", tmp_path))
    assert set(losses) == {"Averaged", "PLE"}
    # Two tasks at a base rate of one half and one quarter begin at about .69 + .69.
    assert all(float(loss) < 1.2 for loss in losses.values())


@pytest.mark.slow
@pytest.mark.tensorflow
def test_layers_make_a_keras_model_of_ones_own(tmp_path: Path) -> None:
    assert printed_by("keras_model.py", tmp_path) == ["[[6], [6]]"]


@pytest.mark.slow
@pytest.mark.tensorflow
def test_components_make_a_tfx_pipeline_of_ones_own(tmp_path: Path) -> None:
    made = loaded("tfx_pipeline").pipeline("logs", tmp_path)
    assert [component.id for component in made.components] == [
        "LogsExampleGen", "SpecSchema", "StatisticsGen", "ExampleValidator", "AnomalyGate",
    ]  # fmt: skip


def post(application: Any, path: str, content: Any) -> tuple[int, Any]:
    """Post JSON to an ASGI application as a server would."""
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": json.dumps(content).encode(), "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    scope = {
        "type": "http", "method": "POST", "path": path, "raw_path": path.encode(), "headers": [],
        "query_string": b"", "root_path": "", "http_version": "1.1", "scheme": "http",
    }  # fmt: skip
    asyncio.run(application(scope, receive, send))
    return sent[0]["status"], json.loads(sent[1]["body"])


def test_the_ranking_service_ranks_and_records(tmp_path: Path) -> None:
    from serving.histories.lmdb_store import LmdbHistoryStore

    source = (EXAMPLES / "ranking_service.py").read_text(encoding="utf-8")
    program = source.split('"""', 2)[2]
    assert len([line for line in program.splitlines() if line.strip()]) <= 40
    spec = load_spec("short_video")
    store = LmdbHistoryStore(tmp_path / "histories", spec, max_bytes=2**26)
    application = loaded("ranking_service").service("127.0.0.1:1", store, spec)
    columns = {
        "request_id": "r1", "time_ms": 1_767_225_600_000, "user_id": "u1", "video_id": "v1", "scenario": "click", "played": True,
        "play_s": 9, "duration_s": 10, "clicked": True, "shared": False, "commented": False,
    }  # fmt: skip
    event = {"columns": columns, "fields": {"author_id": "a1", "category": "music"}}
    assert post(application, "/events", event) == (200, {"recorded": 1, "rejected": []})
    lost = {"columns": {**columns, "user_id": None}}
    rejected = ["missing_key: user_id: missing"]
    assert post(application, "/events", lost) == (200, {"recorded": 0, "rejected": rejected})
    status, answer = post(application, "/rank", {"candidates": [{"video_id": "v1"}]})
    assert status == 400
    assert "127.0.0.1:1: the server cannot be reached" in answer["error"]
    store.close()
