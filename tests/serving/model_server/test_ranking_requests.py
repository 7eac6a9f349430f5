"""Ranking requests over gRPC and REST that a model cannot rank: no answer holds NaN, and the input is named."""

from __future__ import annotations

import contextlib
import http.client
import json

import grpc
import numpy as np
import pytest

pytestmark = [pytest.mark.slow, pytest.mark.tensorflow]

LOGITS = [[0.5, -1.0], [1.0, -2.0], [-0.5, 3.0]]


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A server of a model whose scores the requests give, and the model's spec."""
    import tensorflow as tf

    from serving.model_server.server import LocalModelServer
    from serving.model_server.versions.served_model import ServedModel
    from tests.trainer.export.given_logits import ranker, spec_of

    spec = spec_of(["t0", "t1"])
    root = tmp_path_factory.mktemp("root")
    module = ranker(spec)
    tf.saved_model.save(module, str(root / "1"), signatures=module.signatures())
    with LocalModelServer([ServedModel(root, name="given")], port=0, rest_port=0) as served:
        yield served, spec


def over_grpc(server, signature, inputs):
    """The outputs as lists, or the error's code and text."""
    import tensorflow as tf
    from tensorflow_serving.apis.predict_pb2 import PredictRequest
    from tensorflow_serving.apis.prediction_service_pb2_grpc import PredictionServiceStub

    served, _ = server
    request = PredictRequest()
    request.model_spec.name, request.model_spec.signature_name = "given", signature
    for name, value in inputs.items():
        request.inputs[name].CopyFrom(tf.make_tensor_proto(value))
    with grpc.insecure_channel(served.target) as channel:
        try:
            answer = PredictionServiceStub(channel).Predict(request, timeout=600.0)
        except grpc.RpcError as error:
            return error.code().name, error.details()
    return {name: tf.make_ndarray(proto).tolist() for name, proto in answer.outputs.items()}


def over_rest(server, signature, inputs):
    """The outputs as lists, or the error's code and text."""
    served, _ = server
    columns = {
        name: value.tolist() if isinstance(value, np.ndarray | np.generic) else value
        for name, value in inputs.items()
    }
    body = json.dumps({"signature_name": signature, "inputs": columns})
    with contextlib.closing(http.client.HTTPConnection(served.rest_target, timeout=600.0)) as rest:
        rest.request("POST", "/v1/models/given:predict", body)
        response = rest.getresponse()
        answer = json.loads(response.read())
    if response.status != 200:
        return {400: "INVALID_ARGUMENT"}[response.status], answer["error"]
    return answer["outputs"]


def inputs(server, signature, **changes):
    from tests.trainer.export.given_logits import request

    made = request(server[1], LOGITS, **changes)
    return {"top_k": np.int32(3)} | made if signature == "rank_top_k" else made


def f32(*values):
    return np.array(values, np.float32)


each_way = pytest.mark.parametrize("send", [over_grpc, over_rest])
each_signature = pytest.mark.parametrize("signature", ["rank", "rank_top_k"])


@each_way
@each_signature
def test_a_right_request_is_ranked_alike_over_both(server, send, signature):
    answer = send(server, signature, inputs(server, signature))
    # log σ(.5) + log σ(-1), log σ(1) + log σ(-2), log σ(-.5) + log σ(3)
    logs = [-1.787339, -2.440190, -1.022664]
    order = [2, 0, 1] if signature == "rank_top_k" else [0, 1, 2]
    assert answer["log_ranking_score"] == pytest.approx([logs[i] for i in order], abs=1e-5)
    assert answer["ranking_score"] == pytest.approx(np.exp(answer["log_ranking_score"]))


WRONG = {
    "negative": ("activity", f32(-1.0), "input activity: received -1; valid: a number from 0 to"),
    "too large": ("length_s", f32(1, 2, 3601), "input length_s[2]: received 3601; valid: a number from 0 to 3600"),
    "infinite": ("length_s", f32(np.inf, 1, 1), "input length_s[0]: received inf"),
    "weight": ("weight_of_t1", np.float32(np.nan), "input weight_of_t1: received nan; valid: a finite number"),
    "length": ("length_s", f32(1, 2), "input length_s: received the shape [2]; valid: [3]"),
    "user rows": ("activity", f32(1, 2), "input activity: received the shape [2]; valid: [1]"),
    "rank": ("segment", [["a"]], "input segment: received the shape [1, 1]; valid: [1]"),
}  # fmt: skip


@each_way
@each_signature
@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_input_is_named_with_what_was_received_and_what_is_valid(
    server, send, signature, wrong
):
    name, value, text = WRONG[wrong]
    code, found = send(server, signature, inputs(server, signature, **{name: value}))
    assert code == "INVALID_ARGUMENT"
    assert text in found


@each_way
@pytest.mark.parametrize(
    ("name", "value", "valid"),
    [
        ("activity", ["much"], "float"),
        ("item", [1, 2, 3], "string"),
        ("weight_of_t0", "1.0", "float"),
    ],
)
def test_an_input_of_another_type_is_named(server, send, name, value, valid):
    code, found = send(server, "rank", inputs(server, "rank", **{name: value}))
    assert code == "INVALID_ARGUMENT"
    assert found.startswith(f"input {name}: ")
    assert found.partition("\n")[0].endswith(f"valid: {valid}")


@each_way
@pytest.mark.parametrize("missing", ["activity", "length_s"])
def test_a_missing_number_is_nan_and_no_answer_holds_nan(server, send, missing):
    value = f32(np.nan) if missing == "activity" else f32(np.nan, 1.0, np.nan)
    answer = send(server, "rank", inputs(server, "rank", **{missing: value}))
    assert all(np.isfinite(values).all() for values in answer.values())
