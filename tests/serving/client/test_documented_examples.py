"""docs/examples: each is run against a server, and the request for the ready spec holds what its signature takes."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from feature_spec.formula import weights_in_force
from feature_spec.loading import load_spec
from feature_spec.names import SPEC_FINGERPRINT, weight_name
from serving.client.request_tensors import request_tensors
from serving.client.types import Candidate, RankingRequest

EXAMPLES = Path(__file__).parents[3] / "docs" / "examples"


@pytest.fixture
def server(push, root):
    from serving.model_server.server import LocalModelServer
    from serving.model_server.versions.served_model import ServedModel

    push(1)
    with LocalModelServer([ServedModel(root)], port=0, rest_port=0) as running:
        yield running


@pytest.fixture
def body_file(tmp_path, toy_spec):
    """Two candidates for the toy model: every input, as REST demands."""
    inputs = {
        "user_id": ["fan"], "activity": [1.0], "recent_videos": [["v1"]], "hour": ["20"],
        "video_id": ["v1", "v2"], "tags": [["music"], [""]], "quality": [0.5, 0.9], "duration_s": [10.0, 10.0],
        "weight_of_click": 1.0, "weight_of_like": 0.5, "weight_of_duration": 0.0, "spec_fingerprint": toy_spec.fingerprint,
    }  # fmt: skip
    file = tmp_path / "body.json"
    file.write_text(json.dumps({"signature_name": "rank", "inputs": inputs}))
    return file


def run(*command):
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def assert_ranked(outputs):
    # v1: 0.5 · 1.0^0.5; v2: 0.9 · 0.25^0.5
    assert outputs["ranking_score"] == pytest.approx([0.5, 0.45], rel=1e-6)


@pytest.mark.tensorflow
@pytest.mark.skipif(shutil.which("curl") is None, reason="no curl on this machine")
def test_curl_ranks_over_rest(server, body_file):
    state, answer = run(
        "sh", EXAMPLES / "rest.sh", server.rest_target, "toy", body_file
    ).splitlines()
    assert json.loads(state)["model_version_status"][0]["state"] == "AVAILABLE"
    assert_ranked(json.loads(answer)["outputs"])


@pytest.mark.slow
@pytest.mark.tensorflow
def test_the_public_stubs_rank_over_grpc(server, body_file):
    assert_ranked(
        json.loads(run(sys.executable, EXAMPLES / "stubs.py", server.target, "toy", body_file))
    )


@pytest.mark.tensorflow
@pytest.mark.skipif(shutil.which("grpcurl") is None, reason="no grpcurl on this machine")
def test_grpcurl_shows_the_models_state(server):
    shown = run("sh", EXAMPLES / "grpcurl.sh", server.target, "toy")
    assert "tensorflow.serving.PredictionService" in shown
    assert "AVAILABLE" in shown


def test_the_request_for_the_ready_spec_holds_every_input_of_its_signature():
    spec = load_spec("short_video")
    inputs = json.loads((EXAMPLES / "short_video.json").read_text())["inputs"]
    names = set(request_tensors(spec, RankingRequest(candidates=[Candidate(fields={})])))
    assert inputs.keys() == names | set(
        map(weight_name, weights_in_force(spec.ranking_formula, spec.tasks))
    )
    assert inputs[SPEC_FINGERPRINT] == spec.fingerprint
