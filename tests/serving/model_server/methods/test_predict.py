"""Predict over gRPC: answers, and every refusal with TensorFlow Serving's code and text."""

from __future__ import annotations

import grpc
import pytest

pytestmark = pytest.mark.tensorflow


@pytest.fixture(scope="module")
def server(tmp_path_factory, toy_exports):
    """A server of model `toy`, version 2."""
    from serving.model_server.server import LocalModelServer
    from serving.model_server.versions.served_model import ServedModel

    root = tmp_path_factory.mktemp("root")
    (root / "2").symlink_to(toy_exports(2))
    with LocalModelServer([ServedModel(root)], port=0) as running:
        yield running


@pytest.fixture(scope="module")
def predict(server):
    """Sends a Predict request, given in text form."""
    from google.protobuf import text_format
    from tensorflow_serving.apis.predict_pb2 import PredictRequest, PredictResponse
    from tensorflow_serving.apis.prediction_service_pb2_grpc import PredictionServiceStub

    with grpc.insecure_channel(server.target) as channel:
        stub = PredictionServiceStub(channel)

        def send(text: str, timeout_s: float = 600.0) -> PredictResponse:
            return stub.Predict(text_format.Parse(text, PredictRequest()), timeout=timeout_s)

        yield send


X = 'inputs { key: "x" value { dtype: DT_FLOAT tensor_shape { dim { size: 2 } } float_val: [1.0, 3.0] } }'
WEIGHT = 'inputs { key: "weight" value { dtype: DT_FLOAT tensor_shape {} float_val: 10.0 } }'
EXTRA = 'inputs { key: "zz" value { dtype: DT_FLOAT tensor_shape {} float_val: 10.0 } }'
MODEL = 'model_spec { name: "toy" }'


def test_outputs_are_those_of_the_signature_with_its_version_named(predict):
    response = predict(MODEL + X + WEIGHT)
    # x · weight · version
    assert list(response.outputs["product"].float_val) == [20.0, 60.0]
    assert list(response.outputs["version"].float_val) == [2.0, 2.0]
    assert (response.model_spec.name, response.model_spec.version.value) == ("toy", 2)
    assert response.model_spec.signature_name == "serving_default"


def test_an_input_left_out_takes_the_signatures_default(predict):
    assert list(predict(MODEL + X).outputs["product"].float_val) == [4.0, 12.0]


def test_only_outputs_of_the_filter_are_sent(predict):
    assert list(predict(MODEL + X + 'output_filter: "version"').outputs) == ["version"]


def test_a_version_can_be_asked_for_by_number(predict):
    assert (
        predict('model_spec { name: "toy" version { value: 2 } }' + X).model_spec.version.value == 2
    )


@pytest.mark.parametrize(
    ("values", "product"),
    [
        # the last value is repeated
        ("tensor_shape { dim { size: 3 } } float_val: 1.0", [4.0, 4.0, 4.0]),
        ("tensor_shape { dim { size: 2 } }", [0.0, 0.0]),
        ("tensor_shape { dim { size: 1 } } float_val: [1.0, 9.0]", [4.0]),
        ("tensor_shape { dim { size: 0 } }", []),
        (
            r'tensor_shape { dim { size: 2 } } tensor_content: "\000\000\200?\000\000\000@"',
            [4.0, 8.0],
        ),
    ],
)
def test_tensors_may_come_in_any_of_their_forms(predict, values, product):
    response = predict(MODEL + f'inputs {{ key: "x" value {{ dtype: DT_FLOAT {values} }} }}')
    assert list(response.outputs["product"].float_val) == product


def test_a_rank_that_the_graph_can_broadcast_is_no_error(predict):
    response = predict(
        MODEL + 'inputs { key: "x" value { dtype: DT_FLOAT tensor_shape {} float_val: 1.0 } }'
    )
    assert list(response.outputs["product"].float_val) == [4.0]


INVALID, NOT_FOUND, PRECONDITION = "INVALID_ARGUMENT", "NOT_FOUND", "FAILED_PRECONDITION"


@pytest.mark.parametrize(
    ("request_text", "code", "text"),
    [
        ("", INVALID, "Missing ModelSpec"),
        ("model_spec {}", INVALID, "ModelSpec has no name specified."),
        ('model_spec { name: "nope" }', NOT_FOUND, "Servable not found for request: Latest(nope)"),
        (
            'model_spec { name: "toy" version { value: 99 } }',
            NOT_FOUND,
            "Servable not found for request: Specific(toy, 99)",
        ),
        (
            'model_spec { name: "toy" version_label: "canary" }',
            INVALID,
            "Unrecognized servable version label: canary",
        ),
        (
            'model_spec { name: "toy" signature_name: "nosig" }',
            PRECONDITION,
            'Serving signature key "nosig" not found.',
        ),
        (
            'model_spec { name: "toy" signature_name: "__saved_model_init_op" }',
            PRECONDITION,
            'Serving signature key "__saved_model_init_op" not found.',
        ),
        (
            MODEL + X + WEIGHT + EXTRA,
            INVALID,
            "input size does not match signature: 3!=2 len({weight,x,zz}) != len({weight,x}). "
            "Sent extra: {zz}. Missing but required: {}.",
        ),
        (
            'model_spec { name: "toy" signature_name: "slow" }',
            INVALID,
            "input size does not match signature: 0!=1 len({}) != len({rounds}). "
            "Sent extra: {}. Missing but required: {rounds}.",
        ),
        (
            MODEL + WEIGHT,
            INVALID,
            "Signature input alias: x(feed name: serving_default_x:0) not found in request and no default value provided. "
            "Inputs expected to be in the request {weight}, or default input alias set: weight",
        ),
        (
            MODEL + X + EXTRA,
            INVALID,
            "Inputs contains invalid name. Used request inputs: x, request input: x,zz",
        ),
        (
            MODEL
            + 'inputs { key: "x" value { dtype: DT_INT64 tensor_shape { dim { size: 1 } } int64_val: 1 } }',
            INVALID,
            "Expects arg[1] to be float but int64 is provided",
        ),
        (
            MODEL + 'inputs { key: "x" value { tensor_shape {} float_val: 1.0 } }',
            INVALID,
            "tensor parsing error: x",
        ),
        (
            MODEL + 'inputs { key: "x" value { dtype: DT_VARIANT tensor_shape {} } }',
            INVALID,
            "tensor parsing error: x",
        ),
        (
            MODEL
            + 'inputs { key: "x" value { dtype: DT_FLOAT tensor_shape {} tensor_content: "123" } }',
            INVALID,
            "tensor parsing error: x",
        ),
        (
            MODEL
            + 'inputs { key: "x" value { dtype: DT_STRING tensor_shape {} tensor_content: "123" } }',
            INVALID,
            "tensor parsing error: x",
        ),
        (
            MODEL
            + 'inputs { key: "x" value { dtype: DT_FLOAT tensor_shape { dim { size: -1 } } } }',
            INVALID,
            "tensor parsing error: x",
        ),
        (
            MODEL
            + 'inputs { key: "x" value { dtype: DT_FLOAT tensor_shape { unknown_rank: true } } }',
            INVALID,
            "tensor parsing error: x",
        ),
        (
            # 4 TB asked for by a few bytes
            MODEL
            + 'inputs { key: "x" value { dtype: DT_FLOAT tensor_shape { dim { size: 1000000000000 } } float_val: 1.0 } }',
            INVALID,
            "tensor parsing error: x",
        ),
        (
            MODEL + X + 'output_filter: "nope"',
            INVALID,
            "output tensor alias not found in signature: nope Outputs expected to be in the set {product,version}.",
        ),
        (
            MODEL + X + 'output_filter: ["version", "version"]',
            INVALID,
            "duplicate output tensor alias: version",
        ),
    ],
)
def test_refusals_have_the_code_and_text_of_tensorflow_serving(predict, request_text, code, text):
    with pytest.raises(grpc.RpcError) as refusal:
        predict(request_text)
    assert (refusal.value.code().name, refusal.value.details()) == (code, text)


@pytest.mark.parametrize(
    ("request_text", "first"),
    [
        # wrong model and signature: the model is looked at first; then signature, count, proto,
        # filter, dtype
        ('model_spec { name: "nope" signature_name: "nosig" }', "Servable not found"),
        (
            'model_spec { name: "toy" signature_name: "nosig" }' + X + WEIGHT + EXTRA,
            "Serving signature key",
        ),
        (MODEL + X.replace("DT_FLOAT", "DT_INVALID") + WEIGHT + EXTRA, "input size does not match"),
        (
            MODEL + X.replace("DT_FLOAT", "DT_INVALID") + 'output_filter: "nope"',
            "tensor parsing error",
        ),
        (
            MODEL + X.replace("DT_FLOAT", "DT_INT64") + 'output_filter: "nope"',
            "output tensor alias",
        ),
    ],
)
def test_of_several_mistakes_the_first_in_tensorflow_servings_order_is_reported(
    predict, request_text, first
):
    with pytest.raises(grpc.RpcError, match=first):
        predict(request_text)


def test_what_the_graph_refuses_comes_with_the_runtimes_own_text(predict):
    text = """model_spec { name: "toy" }
        inputs { key: "x" value { dtype: DT_FLOAT tensor_shape { dim { size: 2 } } float_val: 1.0 } }
        inputs { key: "weight" value { dtype: DT_FLOAT tensor_shape { dim { size: 3 } } float_val: 1.0 } }"""
    with pytest.raises(grpc.RpcError) as refusal:
        predict(text)
    assert refusal.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert "Incompatible shapes: [" in refusal.value.details()
    assert "Traceback" not in refusal.value.details()
    assert ".py" not in refusal.value.details()


def test_a_long_error_text_is_cut(predict):
    with pytest.raises(grpc.RpcError) as refusal:
        predict(f'model_spec {{ name: "{"n" * 2000}" }}')
    assert len(refusal.value.details()) == 1024 + len("...TRUNCATED")
    assert refusal.value.details().endswith("...TRUNCATED")


def test_a_run_ends_at_the_callers_deadline(predict, server, eventually):
    [version] = server.models.all[0]._versions.values()
    with pytest.raises(grpc.RpcError) as refusal:
        predict(
            'model_spec { name: "toy" signature_name: "slow" } inputs { key: "rounds" value { dtype: DT_INT32 tensor_shape {} '
            "int_val: 2000000000 } }",
            timeout_s=0.3,
        )
    assert refusal.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
    # 2,000,000,000 rounds would take hours, and the run would keep the version in use.
    eventually(lambda: not version.requests_in_flight, "the run has ended")
    assert list(predict(MODEL + X).outputs["product"].float_val) == [4.0, 12.0]


def test_a_time_limit_stops_the_session_itself_with_tensorflow_servings_text(toy_exports):
    from tensorflow.core.framework.tensor_pb2 import TensorProto

    from serving.model_server.status_error import StatusError
    from serving.model_server.versions.saved_model import SavedModel

    model = SavedModel(toy_exports(1))
    with pytest.raises(StatusError) as stopped:
        model.run(
            "slow",
            {"rounds": TensorProto(dtype=3, int_val=[2_000_000_000])},
            ["rounds"],
            timeout_s=0.2,
        )
    assert (stopped.value.code, stopped.value.text) == (
        grpc.StatusCode.DEADLINE_EXCEEDED,
        "Timed out waiting for notification",
    )
    model.close()
