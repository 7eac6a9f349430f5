"""REST over HTTP beyond the recorded cases: bodies that are wrong, packed or too large, bytes, draining, the port."""

from __future__ import annotations

import gzip
import http.client
import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from typing import ClassVar

import pytest

pytestmark = pytest.mark.tensorflow

PREDICT = "/v1/models/toy:predict"


@pytest.fixture(scope="module")
def start(toy_exports, tmp_path_factory):
    """Makes a server of version 1 of the toy model."""
    from serving.model_server.server import LocalModelServer
    from serving.model_server.versions.served_model import ServedModel

    root = tmp_path_factory.mktemp("toy")
    shutil.copytree(toy_exports(1), root / "1")
    return lambda: LocalModelServer([ServedModel(root)], port=0, rest_port=0)


@pytest.fixture(scope="module")
def server(start):
    with start() as running:
        yield running


def call(server, method, path, body=None, headers=None):
    """Status and JSON of an answer."""
    connection = http.client.HTTPConnection(server.rest_target, timeout=600)
    try:
        connection.request(method, path, body, headers or {})
        response = connection.getresponse()
        return response.status, json.loads(response.read() or "null")
    finally:
        connection.close()


def test_columns_are_answered_by_name(server):
    # product = x · weight · version 1
    body = '{"inputs": {"x": [1.5, 2], "weight": 2}}'
    assert call(server, "POST", PREDICT, body) == (
        200,
        {"outputs": {"product": [3.0, 4.0], "version": [1.0, 1.0]}},
    )


def test_a_request_that_is_answered_is_logged_with_its_answer_as_over_grpc(toy_exports, tmp_path):
    import tensorflow as tf

    from serving.model_server.server import LocalModelServer
    from serving.model_server.versions.served_model import ServedModel

    class Log:
        offered: ClassVar[list] = []

        def offer(self, request_id, payloads, responses):
            self.offered.append((request_id, payloads, responses))

    shutil.copytree(toy_exports(1), tmp_path / "toy" / "1")
    models = [ServedModel(tmp_path / "toy")]
    with LocalModelServer(models, port=0, rest_port=0, request_log=Log()) as running:
        assert call(running, "POST", PREDICT, '{"inputs": {"x": [1]}}')[0] == 400
        assert call(running, "POST", PREDICT, '{"inputs": {"x": [3], "weight": 2}}')[0] == 200
    [(request_id, [request], [response])] = Log.offered
    assert (request_id, request.model_spec.name) == (None, "toy")
    assert tf.make_ndarray(request.inputs["x"]).tolist() == [3.0]
    assert tf.make_ndarray(response.outputs["product"]).tolist() == [6.0]


def test_every_input_is_demanded_although_the_signature_has_defaults(server):
    status, answer = call(server, "POST", PREDICT, '{"inputs": {"x": [1]}}')
    assert (status, answer) == (400, {"error": "Missing named input: weight in 'inputs' object."})


def test_infinity_is_answered_as_infinity(server):
    status, answer = call(
        server, "POST", PREDICT, '{"inputs": {"x": [Infinity, -Infinity, 0.1], "weight": 1}}'
    )
    # 0.1 in float32, in the fewest digits that say so
    assert (status, answer["outputs"]["product"]) == (200, [float("inf"), float("-inf"), 0.1])


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ("", "JSON Parse error: The document is empty"),
        ("  ", "JSON Parse error: The document is empty. at offset: 2"),
        ('{"inputs": tru}', "JSON Parse error: Invalid value. at offset: 14"),
        ('{"inputs": [1 2]}', "JSON Parse error: Missing a comma or ] after an array element. at offset: 14"),
        ('{"inputs": 1', "JSON Parse error: Missing a comma or } after an object member. at offset: 12"),
        ('{"inputs": 1e999}', "JSON Parse error: Number too big to be stored in double. at offset: 11"),
        ('{"instances": [1], "inputs": 1}', None),
        ("{}", "Missing 'inputs' or 'instances' key"),
        ('{"inputs": {"x": [[1]], "weight": "2"}}', 'JSON Value: "2" Type: String is not of expected type: float'),
        ('{"inputs": {"x": [1, [2]], "weight": 2}}', "Encountered list at unexpected level: 1 expected < 1"),
        ('{"inputs": {"x": [[1, 2], [3]], "weight": 2}}', "Encountered list at unexpected size: 1 at level: 1 expected size: 2"),
        ('{"inputs": {"x": [[1], 2], "weight": 2}}', "JSON Value: 2 found at incorrect level: 2 in the JSON DOM. Expected at level: 2"),
        ('{"inputs": {"x": true, "weight": 2}}', "JSON Value: true Type: True is not of expected type: float"),
    ],
)  # fmt: skip
def test_a_wrong_body_is_refused_with_the_place_of_its_first_mistake(server, body, text):
    status, answer = call(server, "POST", PREDICT, body)
    assert status == 400
    if text is None:
        text = (
            'JSON Value: {\n    "instances": [1],\n    "inputs": 1\n} Not formatted correctly expecting only one of '
            "'inputs' or 'instances' keys to exist "
        )
    # Inputs are looked at in the order of their names: `weight` before `x`.
    assert answer == {"error": text}


def test_what_follows_the_object_is_ignored(server):
    assert call(server, "POST", PREDICT, '{"inputs": {"x": [1], "weight": 1}} and more')[0] == 200


def test_lists_nested_without_end_are_refused(server):
    status, answer = call(server, "POST", PREDICT, '{"inputs": ' + "[" * 200_000)
    assert (status, "nested too deeply" in answer["error"]) == (400, True)


@pytest.mark.parametrize(
    ("method", "path", "status", "text"),
    [
        ("GET", "/v1/models", 400, "Missing model name in request."),
        ("PUT", "/v1/models/toy", 400, "Malformed request: PUT /v1/models/toy"),
        ("POST", "/v1/models/toy:rank", 400, "Malformed request: POST /v1/models/toy:rank"),
        (
            "GET",
            "/v1/models/toy/versions/x",
            400,
            "Malformed request: GET /v1/models/toy/versions/x",
        ),
        ("GET", "/v1/models/toy?verbose", 404, "Could not find any versions of model toy?verbose"),
        ("GET", "/v1/models/toy/versions/9", 404, "Could not find version 9 of model toy"),
        (
            "GET",
            f"/v1/models/toy/versions/{2**63}",
            400,
            f"Failed to convert version: {2**63} to numeric.",
        ),
        ("GET", "/", 404, "Nothing is served at /. Paths begin with /v1/models/"),
    ],
)
def test_a_wrong_path_is_refused(server, method, path, status, text):
    assert call(server, method, path) == (status, {"error": text})


def test_an_unknown_label_is_refused(server):
    status, answer = call(
        server,
        "POST",
        "/v1/models/toy/labels/canary:predict",
        '{"inputs": {"x": [1], "weight": 1}}',
    )
    assert (status, answer) == (400, {"error": "Unrecognized servable version label: canary"})


def test_a_packed_body_is_unpacked(server):
    body = gzip.compress(b'{"inputs": {"x": [1], "weight": 3}}')
    status, answer = call(server, "POST", PREDICT, body, {"Content-Encoding": "gzip"})
    assert (status, answer["outputs"]["product"]) == (200, [3.0])


def test_a_body_that_is_not_packed_as_its_header_says_is_refused(server):
    assert call(server, "POST", PREDICT, b"{}", {"Content-Encoding": "gzip"})[0] == 400


def test_a_packed_body_that_is_cut_off_is_refused(server):
    # Without the last 8 bytes, the checksum and the length, all of the content is there.
    body = gzip.compress(b'{"inputs": {"x": [1], "weight": 3}}')[:-8]
    status, answer = call(server, "POST", PREDICT, body, {"Content-Encoding": "gzip"})
    assert (status, answer) == (400, {"error": "The body is not gzip: it is cut off"})


@pytest.mark.parametrize("packed", [False, True])
def test_a_body_beyond_the_limit_is_refused_as_too_much(server, packed):
    # One byte more than 64 MiB; packed, some 65 kB.
    body = b" " * (2**26 + 1)
    body, headers = (gzip.compress(body), {"Content-Encoding": "gzip"}) if packed else (body, {})
    status, answer = call(server, "POST", PREDICT, body, headers)
    assert (status, answer) == (
        429,
        {"error": "Received message larger than max (limit: 67108864 bytes)"},
    )
    assert call(server, "GET", "/v1/models/toy")[0] == 200


def test_a_request_in_flight_is_answered_before_the_server_stops(start, gate, eventually):
    server = start()
    server.start()
    gate.close()
    body = '{"signature_name": "slow", "inputs": 3}'
    version = server.models.named("toy")._versions[1]
    with ThreadPoolExecutor(2) as pool:
        answer = pool.submit(call, server, "POST", PREDICT, body)
        eventually(lambda: version.requests_in_flight, "the request is taken on")
        stopping = pool.submit(server.stop, drain_s=600.0)
        eventually(server._pool.refusal, "the server drains")
        gate.open()
        assert answer.result() == (200, {"outputs": 3})
        stopping.result()
    with pytest.raises(ConnectionRefusedError):
        call(server, "GET", "/v1/models/toy")


def test_a_rest_port_in_use_is_refused(server):
    from serving.model_server.server import LocalModelServer, PortError

    with pytest.raises(PortError, match=f"cannot listen on 127.0.0.1:{server.rest_port} for REST"):
        LocalModelServer([], port=0, rest_port=server.rest_port)
