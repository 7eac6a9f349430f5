"""Requests that TensorFlow Serving was sent, replayed: its codes, texts and numbers are this server's too."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import grpc
import pytest

_SHARED = Path(os.environ.get("FULCRUM_SHARED", Path(__file__).parents[3] / "shared"))
_RECORDED = _SHARED / "reference" / "tf_serving_recorded.json"
_MODELS = _SHARED / "reference" / "tf_serving_models.py"
_CALLS = ("Predict", "GetModelMetadata", "GetModelStatus")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.tensorflow,
    pytest.mark.skipif(not (_RECORDED.exists() and _MODELS.exists()), reason=f"no recorded answers in {_RECORDED.parent}"),
]


def recorded(group):
    cases = json.loads(_RECORDED.read_text())[group] if _RECORDED.exists() else []
    return [pytest.param(case, id=case["case"]) for case in cases if case["api"] in _CALLS]


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    subprocess.run([sys.executable, str(_MODELS), str(folder)], check=True, capture_output=True)
    return folder


@pytest.fixture(scope="module")
def call_on(models):
    """Calls a method of a server of model `m` under a version policy."""
    from tensorflow_serving.apis import get_model_metadata_pb2, get_model_status_pb2, predict_pb2
    from tensorflow_serving.apis.model_service_pb2_grpc import ModelServiceStub
    from tensorflow_serving.apis.prediction_service_pb2_grpc import PredictionServiceStub

    from serving.model_server.served_model import ServedModel, VersionPolicy
    from serving.model_server.server import LocalModelServer

    opened = {}
    for policy in VersionPolicy:
        server = LocalModelServer([ServedModel(models / "m", name="m", policy=policy)], port=0)
        server.start()
        channel = grpc.insecure_channel(server.target)
        prediction, model = PredictionServiceStub(channel), ModelServiceStub(channel)
        opened[policy.value] = server, channel, {
            "Predict": (prediction.Predict, predict_pb2.PredictRequest, predict_pb2.PredictResponse),
            "GetModelMetadata": (
                prediction.GetModelMetadata, get_model_metadata_pb2.GetModelMetadataRequest,
                get_model_metadata_pb2.GetModelMetadataResponse,
            ),
            "GetModelStatus": (
                model.GetModelStatus, get_model_status_pb2.GetModelStatusRequest, get_model_status_pb2.GetModelStatusResponse,
            ),
        }  # fmt: skip
    yield lambda policy, method: opened[policy][2][method]
    for server, channel, _ in opened.values():
        channel.close()
        server.stop()


def replay(call_on, policy, case):
    from google.protobuf import text_format

    call, request_type, response_type = call_on(policy, case["api"])
    request = text_format.Parse(_with_the_models_names(case["request"]), request_type())
    try:
        response, code, message = call(request), "OK", ""
    except grpc.RpcError as error:
        response, code, message = None, error.code().name, error.details()
    assert code == case["code"]
    if "{{node" in case["message"]:
        assert "{{node" in message  # the text of an operation, whose wording depends on the build of TensorFlow
    else:
        assert message == case["message"]
    if response is not None:
        expected = text_format.Parse(_with_the_models_names(case["response"]), response_type())
        _assert_same(response, expected)


@pytest.mark.parametrize("case", recorded("predict"))
def test_predict_answers_as_recorded(call_on, case):
    replay(call_on, "all", case)


@pytest.mark.parametrize("case", recorded("meta"))
def test_metadata_and_status_answer_as_recorded(call_on, case):
    replay(call_on, "latest", case)


def _with_the_models_names(text):
    """The input of the `clf` and `reg` signatures was called `examples` when the answers were recorded."""
    return text.replace('key: "examples"', 'key: "inputs"').replace("_examples:0", "_inputs:0")


def _assert_same(response, expected):
    from tensorflow_serving.apis.get_model_metadata_pb2 import GetModelMetadataResponse
    from tensorflow_serving.apis.predict_pb2 import PredictResponse

    if isinstance(response, PredictResponse):
        assert response.model_spec == expected.model_spec
        assert set(response.outputs) == set(expected.outputs)
        for name, tensor in expected.outputs.items():
            _assert_same_tensor(response.outputs[name], tensor)
    elif isinstance(response, GetModelMetadataResponse):
        assert response.model_spec == expected.model_spec
        assert _signatures(response) == _signatures(expected)
    else:
        assert response == expected


def _assert_same_tensor(received, expected):
    import tensorflow as tf

    assert received.dtype == expected.dtype
    assert received.tensor_shape == expected.tensor_shape
    assert [field.name for field, _ in received.ListFields()] == [field.name for field, _ in expected.ListFields()]
    if expected.dtype == tf.string.as_datatype_enum:
        assert list(received.string_val) == list(expected.string_val)
    else:
        assert tf.make_ndarray(received) == pytest.approx(tf.make_ndarray(expected), rel=1e-6)


def _signatures(response):
    """Unpacked, because a map is packed in any order."""
    from tensorflow_serving.apis.get_model_metadata_pb2 import SignatureDefMap

    signatures = SignatureDefMap()
    assert response.metadata["signature_def"].Unpack(signatures)
    return signatures
