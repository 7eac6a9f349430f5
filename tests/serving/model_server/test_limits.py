"""What the server refuses to take on, and what it still answers then."""

from __future__ import annotations

import http.client
import json
import threading

import grpc
import pytest

pytestmark = pytest.mark.tensorflow


@pytest.fixture
def limited(root, push):
    """Starts a server of model `toy`, version 1, with limits; gives it with a channel to it."""
    from serving.model_server.server import LocalModelServer
    from serving.model_server.versions.served_model import ServedModel

    push(1)
    started = []

    def start(**limits):
        server = LocalModelServer([ServedModel(root)], port=0, poll_s=0.05, **limits)
        server.start()
        started.append((server, grpc.insecure_channel(server.target)))
        return started[-1]

    yield start
    for server, channel in started:
        channel.close()
        server.stop()


def predict(channel, rows=3, **settings):
    from tensorflow_serving.apis.predict_pb2 import PredictRequest
    from tensorflow_serving.apis.prediction_service_pb2_grpc import PredictionServiceStub

    request = PredictRequest(model_spec={"name": "toy"})
    request.inputs["x"].dtype = 1
    request.inputs["x"].tensor_shape.dim.add(size=rows)
    request.inputs["x"].float_val.extend([1.0] * rows)
    return PredictionServiceStub(channel).Predict(request, timeout=600.0, **settings)


def slow(channel, rounds=3):
    """A request that waits at the gate, in the background."""
    from tensorflow_serving.apis.predict_pb2 import PredictRequest
    from tensorflow_serving.apis.prediction_service_pb2_grpc import PredictionServiceStub

    request = PredictRequest(model_spec={"name": "toy", "signature_name": "slow"})
    request.inputs["rounds"].dtype = 3
    request.inputs["rounds"].int_val.append(rounds)
    return PredictionServiceStub(channel).Predict.future(request, timeout=600.0)


def health(channel, service=""):
    from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
    from grpc_health.v1.health_pb2_grpc import HealthStub

    status = HealthStub(channel).Check(HealthCheckRequest(service=service), timeout=600.0).status
    return HealthCheckResponse.ServingStatus.Name(status)


def refused(call, *arguments, **settings):
    with pytest.raises(grpc.RpcError) as refusal:
        call(*arguments, **settings)
    return refusal.value.code().name, refusal.value.details()


def test_a_request_of_more_candidates_than_allowed_is_refused(limited):
    _, channel = limited(max_candidates=3)
    assert len(predict(channel, rows=3).outputs["product"].float_val) == 3
    assert refused(predict, channel, rows=4) == (
        "RESOURCE_EXHAUSTED",
        "input x has 4 candidates, and this server's --max-candidates is 3: send the request in parts.",
    )


@pytest.fixture(scope="module")
def at_most_three(tmp_path_factory, toy_exports, examples_export):
    """A server that takes 3 candidates, of the models `toy` and, with signatures for examples, `xs`."""
    from serving.model_server.server import LocalModelServer
    from serving.model_server.versions.served_model import ServedModel

    toy, examples = tmp_path_factory.mktemp("toy"), tmp_path_factory.mktemp("xs")
    (toy / "1").symlink_to(toy_exports(1))
    (examples / "1").symlink_to(examples_export)
    models = [ServedModel(toy, name="toy"), ServedModel(examples, name="xs")]
    with LocalModelServer(models, port=0, rest_port=0, max_candidates=3) as server:
        yield server


ROWS_TEXT = "has 4 candidates, and this server's --max-candidates is 3: send the request in parts."
CLASSIFY, REGRESS = "tensorflow/serving/classify", "tensorflow/serving/regress"


def in_grpc(method, count):
    """A request for so many candidates, in text form."""
    if method == "Predict":
        tensor = f"dtype: DT_FLOAT tensor_shape {{ dim {{ size: {count} }} }} float_val: 1.0"
        return f'model_spec {{ name: "toy" }} inputs {{ key: "x" value {{ {tensor} }} }}'
    examples = f"input {{ example_list {{ {'examples {} ' * count} }} }}"
    next_number = 'model_spec { name: "xs" signature_name: "next" }'
    return {
        "Classify": 'model_spec { name: "xs" }',
        "Regress": next_number,
        "MultiInference": f'tasks {{ {next_number} method_name: "{REGRESS}" }} '
        f'tasks {{ model_spec {{ name: "xs" }} method_name: "{CLASSIFY}" }}',
    }[method] + examples


@pytest.mark.parametrize("method", ["Predict", "Classify", "Regress", "MultiInference"])
def test_grpc_refuses_more_candidates_than_allowed_by_every_method(at_most_three, method):
    from google.protobuf import text_format

    from tests.serving.model_server.api_methods import stub_of, types_of

    with grpc.insecure_channel(at_most_three.target) as channel:

        def send(count):
            request = text_format.Parse(in_grpc(method, count), types_of(method)[0]())
            return getattr(stub_of(method)(channel), method)(request, timeout=600.0)

        send(3)
        code, text = refused(send, 4)
    assert (code, text.endswith(ROWS_TEXT)) == ("RESOURCE_EXHAUSTED", True)


def in_rest(verb, count):
    """Path and body of a request for so many candidates."""
    examples = {"examples": [{"x": 1.0}] * count}
    return {
        "predict in rows": (
            "toy:predict",
            {"signature_name": "single", "instances": [1.0] * count},
        ),
        "predict in columns": ("toy:predict", {"inputs": {"x": [1.0] * count, "weight": 2.0}}),
        "classify": ("xs:classify", examples),
        "regress": ("xs:regress", {"signature_name": "next", **examples}),
    }[verb]


@pytest.mark.parametrize("verb", ["predict in rows", "predict in columns", "classify", "regress"])
def test_rest_refuses_more_candidates_than_allowed_by_every_verb(at_most_three, verb):
    def send(count):
        path, body = in_rest(verb, count)
        connection = http.client.HTTPConnection(at_most_three.rest_target, timeout=600)
        try:
            connection.request("POST", f"/v1/models/{path}", json.dumps(body))
            response = connection.getresponse()
            return response.status, json.loads(response.read())
        finally:
            connection.close()

    assert send(3)[0] == 200
    status, answer = send(4)
    assert (status, answer["error"].endswith(ROWS_TEXT)) == (429, True)


def test_a_message_larger_than_allowed_is_refused_with_both_sizes(limited):
    _, channel = limited(max_message_bytes=10_000)
    predict(channel, rows=1_000)
    code, text = refused(predict, channel, rows=5_000)
    assert code == "RESOURCE_EXHAUSTED"
    assert "Received message larger than max (200" in text  # 4 bytes a row, and the names
    assert "vs. 10000)" in text


def test_more_requests_than_allowed_are_refused_and_the_rest_is_answered(limited, gate, eventually):
    server, channel = limited(threads=1, max_requests=2)
    predict(channel)
    gate.close()
    answers = [slow(channel), slow(channel)]
    eventually(server._pool.refusal, "two requests are taken on")
    code, text = refused(predict, channel)
    assert code == "RESOURCE_EXHAUSTED"
    assert text.startswith(
        "This server has 2 requests to answer, as many as its --max-concurrent-requests allows"
    )
    gate.open()
    assert [list(answer.result().outputs["rounds"].int_val) for answer in answers] == [[3]] * 2
    eventually(lambda: not server._pool.refusal(), "the answered requests are counted no more")
    predict(channel)


def test_a_call_that_is_given_up_while_it_waits_leaves_its_place(limited, gate, eventually):
    server, channel = limited(threads=1, max_requests=2)
    gate.close()
    running, waiting = slow(channel), slow(channel)
    eventually(server._pool.refusal, "two requests are taken on")
    waiting.cancel()
    gate.open()
    running.result()
    eventually(lambda: server._pool._unanswered == 0, "both places are free")


def test_status_and_health_are_told_while_all_threads_run_models(limited, gate, eventually):
    from tensorflow_serving.apis.get_model_status_pb2 import GetModelStatusRequest
    from tensorflow_serving.apis.model_service_pb2_grpc import ModelServiceStub

    server, channel = limited(threads=1, max_requests=1)
    gate.close()
    answer = slow(channel)
    eventually(server._pool.refusal, "the thread is busy")
    assert health(channel) == "SERVING"
    status = ModelServiceStub(channel).GetModelStatus(
        GetModelStatusRequest(model_spec={"name": "toy"}), timeout=600.0
    )
    assert status.model_version_status[0].version == 1
    assert not answer.done()
    gate.open()
    answer.result()


@pytest.mark.parametrize("service", ["", "ModelService", "PredictionService"])
def test_health_follows_the_models_under_tensorflow_servings_names(
    limited, root, eventually, service
):
    import shutil

    _, channel = limited()
    assert health(channel, service) == "SERVING"
    shutil.rmtree(root / "serving_model" / "1")
    eventually(lambda: health(channel, service) == "NOT_SERVING", "nothing is left to serve")


def test_health_of_another_service_is_not_found(limited):
    _, channel = limited()
    assert refused(health, channel, "Other")[0] == "NOT_FOUND"


def test_a_draining_server_says_so_and_answers_what_it_has(limited, gate, eventually):
    server, channel = limited()
    predict(channel)
    gate.close()
    answer = slow(channel)
    eventually(
        lambda: server.models.named("toy")._versions[1].requests_in_flight,
        "the request is taken on",
    )
    stopping = threading.Thread(target=server.stop, kwargs={"drain_s": 600.0})
    stopping.start()
    eventually(server._pool.refusal, "the server drains")
    assert health(channel) == "NOT_SERVING"
    assert refused(predict, channel) == ("UNAVAILABLE", "This server is shutting down.")
    gate.open()
    assert list(answer.result().outputs["rounds"].int_val) == [3]
    stopping.join()


def test_draining_ends_when_its_time_is_over(limited, gate, eventually):
    server, channel = limited()
    gate.close()
    answer = slow(channel)
    eventually(
        lambda: server.models.named("toy")._versions[1].requests_in_flight,
        "the request is taken on",
    )
    server.stop(drain_s=0.2)  # returns although the request cannot end
    assert refused(answer.result)[0] in ("UNAVAILABLE", "CANCELLED")


def test_reflection_lists_the_services(limited):
    from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
        ProtoReflectionDescriptorDatabase,
    )

    _, channel = limited()
    services = ProtoReflectionDescriptorDatabase(channel).get_services()
    assert {
        "tensorflow.serving.PredictionService",
        "tensorflow.serving.ModelService",
        "grpc.health.v1.Health",
    } <= set(services)
