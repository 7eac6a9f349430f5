"""Prometheus metrics: TensorFlow Serving's names, what is counted, and the monitoring config file."""

from __future__ import annotations

import http.client

import grpc
import pytest

pytestmark = pytest.mark.tensorflow

COUNT, LATENCY = ":tensorflow:serving:request_count", ":tensorflow:serving:request_latency"


@pytest.fixture
def server(push, root):
    from serving.model_server.metrics import DEFAULT_PATH
    from serving.model_server.server import LocalModelServer
    from serving.model_server.versions.served_model import ServedModel

    push(1)
    with LocalModelServer(
        [ServedModel(root)], port=0, rest_port=0, metrics_path=DEFAULT_PATH
    ) as running:
        yield running


@pytest.fixture
def predict(server, stubs):
    """Sends a Predict request over gRPC; gives the name of its code."""
    from tensorflow_serving.apis.predict_pb2 import PredictRequest

    prediction, _ = stubs(server.target)

    def send(model="toy", rows=3):
        request = PredictRequest(model_spec={"name": model})
        request.inputs["x"].dtype = 1
        request.inputs["x"].tensor_shape.dim.add(size=rows)
        request.inputs["x"].float_val.extend([1.0] * rows)
        try:
            prediction.Predict(request)
        except grpc.RpcError as error:
            return error.code().name
        return "OK"

    return send


def fetch(server, path, method="GET", body=None):
    connection = http.client.HTTPConnection(server.rest_target, timeout=600)
    try:
        connection.request(method, path, body)
        return connection.getresponse().read().decode()
    finally:
        connection.close()


def samples(server):
    """Every sample of the page, by name and labels."""
    from prometheus_client.parser import text_string_to_metric_families

    page = fetch(server, "/monitoring/prometheus/metrics")
    families = text_string_to_metric_families(page)
    return {
        # the suffix is the parser's own
        (sample.name.removesuffix("_total"), *sorted(sample.labels.items())): sample.value
        for family in families
        for sample in family.samples
    }


def test_requests_are_counted_by_model_and_status(server, predict):
    assert [predict(), predict(), predict(rows=0), predict(model="other")] == [
        "OK",
        "OK",
        "OK",
        "NOT_FOUND",
    ]
    fetch(server, "/v1/models/toy:predict", "POST", '{"inputs": {"x": "a", "weight": 1}}')
    counted = {key: value for key, value in samples(server).items() if key[0] == COUNT}
    assert counted == {
        (COUNT, ("model_name", "toy"), ("status", "OK")): 3.0,
        (COUNT, ("model_name", "toy"), ("status", "INVALID_ARGUMENT")): 1.0,
        (COUNT, ("model_name", ""), ("status", "NOT_FOUND")): 1.0,
    }


def test_the_type_of_the_count_stands_under_its_own_name(server, predict):
    predict()
    page = fetch(server, "/monitoring/prometheus/metrics")
    assert f"# TYPE {COUNT} counter\n" in page
    assert f'{COUNT}{{model_name="toy",status="OK"}} 1.0\n' in page


def test_latencies_of_what_was_answered_are_kept_by_entrypoint(server, predict):
    predict()
    predict(model="other")
    fetch(server, "/v1/models/toy:predict", "POST", '{"inputs": {"x": [1], "weight": 1}}')
    kept = samples(server)
    for api, entrypoint in (("Predict", "GRPC"), ("predict", "REST")):
        labels = (("API", api), ("entrypoint", entrypoint), ("model_name", "toy"))
        assert kept[f"{LATENCY}_count", *labels] == 1.0
        # Between 10 µs and 30 s.
        assert 10.0 < kept[f"{LATENCY}_sum", *labels] < 30e6
    bounds = {float(dict(key[1:])["le"]) for key in kept if key[0] == f"{LATENCY}_bucket"}
    # 33 bounds from 10, each 1.8 times the last, and infinity: 10 · 1.8 = 18, 18 · 1.8 = 32.4
    assert (len(bounds), sorted(bounds)[:3]) == (34, [10.0, 18.0, 32.4])


def test_candidates_of_a_request_are_counted(server, predict):
    predict(rows=3)
    predict(rows=40)
    kept = samples(server)
    assert kept["fulcrum_request_candidates_sum", ("model_name", "toy")] == 43.0
    assert kept["fulcrum_request_candidates_bucket", ("le", "5.0"), ("model_name", "toy")] == 1.0


def test_versions_are_shown_with_their_state(server, push, eventually):
    push(2)
    expected = {
        (
            "fulcrum_model_version_state",
            ("model_name", "toy"),
            ("state", "AVAILABLE"),
            ("version", "2"),
        ): 1.0,
        (
            "fulcrum_model_version_state",
            ("model_name", "toy"),
            ("state", "END"),
            ("version", "1"),
        ): 1.0,
    }

    def shown():
        return {
            key: value
            for key, value in samples(server).items()
            if key[0] == "fulcrum_model_version_state"
        }

    eventually(lambda: shown() == expected, "version 2 in place of version 1")


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("prometheus_config { enable: true }", "/monitoring/prometheus/metrics"),
        ('prometheus_config: { enable: true, path: "/metrics" }', "/metrics"),
        ('prometheus_config { path: "/metrics" }', None),
        ("", None),
    ],
)
def test_a_monitoring_config_file_says_where_metrics_are(tmp_path, text, path):
    from serving.model_server.metrics import page_path

    file = tmp_path / "monitoring.config"
    file.write_text(text)
    assert page_path(file) == path


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (
            "prometheus { enable: true }",
            r"monitoring.config:1:1.*It holds a MonitoringConfig, with the fields: prometheus_config",
        ),
        ('prometheus_config { enable: true path: "metrics" }', "must begin with /"),
    ],
)
def test_a_monitoring_config_file_that_cannot_be_used_is_refused(tmp_path, text, error):
    from serving.model_server.config.server_config import ConfigError
    from serving.model_server.metrics import page_path

    file = tmp_path / "monitoring.config"
    file.write_text(text)
    with pytest.raises(ConfigError, match=error):
        page_path(file)
