"""The whole pipeline with logs and artifacts in ``gs://``, by the file systems that Beam and TensorFlow bring, against a storage emulator."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from tests.engines.catalogue import require
from tests.engines.storage import BUCKET, running_storage
from tests.integration.test_remote_artifacts import SPEC, write_logs

pytestmark = [pytest.mark.engines, pytest.mark.slow, pytest.mark.tensorflow]

URI = f"gs://{BUCKET}/here"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a pipeline that ran twice, and of what the commands said."""
    require("storage_emulator", program="unshare")
    folder = tmp_path_factory.mktemp("storage")
    (folder / "spec.yaml").write_text(SPEC.replace("shared_bottom", "mmoe").replace("bottom_units", "experts: 2, expert_units"), encoding="utf-8")  # fmt: skip
    write_logs(folder / "logs")
    (folder / "room").mkdir()
    with running_storage(folder / "room") as within:
        told = [*within, sys.executable, "-m", "tests.engines.storage_story", str(folder), URI]
        done = subprocess.run(told, capture_output=True, text=True, check=False)
    assert done.returncode == 0, (done.stdout + done.stderr)[-5000:]
    return folder


@pytest.fixture(scope="module")
def story(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "story.json").read_text(encoding="utf-8"))


def test_a_model_is_pushed_and_all_lines_are_accounted_for(story: dict[str, Any], folder: Path):
    summary = story["first"]["summary"]
    assert summary.get("status") == "pushed", story["first"]["output"]
    counts = summary["ingestion"]
    assert counts["lines"] == 802
    assert sum(counts["examples"].values()) == 800
    assert counts["examples"]["evaluation"] == summary["tasks"][0]["example_count"] == 200
    assert (folder / f"root/serving_model/{summary['version']}/saved_model.pb").is_file()
    assert not (folder / "root/artifacts").exists()


def test_the_second_run_reuses_what_is_there(story: dict[str, Any]):
    again = story["again"]
    done = {node for node, state in again["states"].items() if state == "done"}
    assert done == {"Baseline", "Pusher", "RunReport"}, again["output"]
    assert again["summary"]["version"] == story["first"]["summary"]["version"]


def test_every_command_that_reads_artifacts_finds_them(story: dict[str, Any], folder: Path):
    said = story["commands"]
    failed = {
        name: one for name, one in said.items() if one["exit_code"] and name != "tune-formula"
    }
    assert failed == {}
    # Two weightings of one task order alike, so that it keeps the current formula.
    assert said["tune-formula"]["exit_code"] in (0, 3), said["tune-formula"]["output"]
    assert f"2 rejected lines; all of them: {URI}/run/LogsExampleGen/" in said["rejects"]["output"]
    assert pq.read_metadata(folder / "scores.parquet").num_rows == 200
    for page in ("report.html", "comparison.html"):
        assert "mmoe" in (folder / page).read_text(encoding="utf-8")
