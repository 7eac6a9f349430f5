"""REST requests that TensorFlow Serving was sent, replayed over HTTP: its codes, texts and JSON are this server's too."""

from __future__ import annotations

import http.client
import json
from pathlib import Path

import pytest

_GROUPS = json.loads((Path(__file__).parents[1] / "recorded" / "answers.json").read_text())
_HTTP_STATUS = {"OK": 200, "INVALID_ARGUMENT": 400, "NOT_FOUND": 404}

pytestmark = [pytest.mark.slow, pytest.mark.tensorflow]


def recorded():
    """All cases but one: `regress` of the first group is of a server told to check the method names of signatures."""
    newest = [("", case) for case in _GROUPS["rest"] if case["case"] != "regress"]
    # recorded when only version 1 was served
    first = [("/versions/1", case) for case in _GROUPS["restc"]]
    return [
        pytest.param(version, case, id=f"{case['case']}{version}")
        for version, case in newest + first
    ]


@pytest.fixture(scope="module")
def server(recorded_models):
    from serving.model_server.server import LocalModelServer
    from serving.model_server.versions.served_model import ServedModel, VersionPolicy

    model = ServedModel(recorded_models / "m", name="m", policy=VersionPolicy.ALL)
    with LocalModelServer([model], port=0, rest_port=0) as running:
        yield running


@pytest.mark.parametrize(("version", "case"), recorded())
def test_rest_answers_as_recorded(server, version, case):
    line, _, body = case["request"].partition("\n")
    method, path = line.split(" ")
    connection = http.client.HTTPConnection(server.rest_target, timeout=600)
    connection.request(method, path.replace("/m:", f"/m{version}:"), body or None)
    response = connection.getresponse()
    received = json.loads(response.read())
    connection.close()

    assert response.status == _HTTP_STATUS[case["code"]]
    assert response.headers["content-type"] == "application/json"
    if "{{node" in case["message"]:
        # the text of an operation, whose wording depends on the build of TensorFlow
        assert "{{node" in received["error"]
    elif case["code"] != "OK":
        assert received == {"error": case["message"]}
    else:
        assert_same(received, json.loads(with_the_models_names(case["response"])))


def with_the_models_names(text):
    """The input of the `clf` and `reg` signatures was called `examples` when most answers were recorded."""
    return text.replace('"examples": {', '"inputs": {').replace("_examples:0", "_inputs:0")


def assert_same(received, expected):
    """Equal but for the last digits of floats."""
    assert type(received) is type(expected)
    if isinstance(expected, dict):
        assert received.keys() == expected.keys()
        for key, value in expected.items():
            assert_same(received[key], value)
    elif isinstance(expected, list):
        assert len(received) == len(expected)
        for one, other in zip(received, expected, strict=True):
            assert_same(one, other)
    elif isinstance(expected, float):
        assert received == pytest.approx(expected, rel=1e-6, nan_ok=True)
    else:
        assert received == expected
