"""Requests that come with a version, replayed before it is AVAILABLE."""

from __future__ import annotations

import grpc
import pytest

from tests.serving.model_server.polling import poll

pytestmark = pytest.mark.tensorflow

X = 'inputs { key: "x" value { dtype: DT_FLOAT tensor_shape { dim { size: 2 } } float_val: 1.0 } }'
PREDICT = f"predict_log {{ request {{ {X} }} }}"


@pytest.fixture
def runs():
    """What models made by `recorder` ran: signature and number of rows of x."""
    return []


@pytest.fixture
def recorder(runs):
    from serving.model_server.versions.saved_model import SavedModel

    class Recorder(SavedModel):
        def run(self, signature, inputs, outputs, timeout_s):
            arrays = super().run(signature, inputs, outputs, timeout_s)
            runs.append((signature, arrays[0].size))
            return arrays

    return Recorder


@pytest.fixture
def model(root):
    from serving.model_server.versions.served_model import ServedModel

    served = ServedModel(root)
    yield served
    served.close()


@pytest.fixture
def push_with(push):
    """Pushes version 1 with the given records, as text or bytes, in its warm-up file."""

    def push_version(*records, number=1):
        def write(folder):
            import tensorflow as tf
            from google.protobuf import text_format
            from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog

            with tf.io.TFRecordWriter(
                str(folder / "assets.extra" / "tf_serving_warmup_requests")
            ) as writer:
                for record in records:
                    log = (
                        text_format.Parse(record, PredictionLog())
                        if isinstance(record, str)
                        else None
                    )
                    writer.write(log.SerializeToString() if log is not None else record)

        return push(1, number=number, break_it=write)

    return push_version


def test_each_record_is_run_and_nothing_else(model, recorder, runs, push_with):
    push_with(PREDICT, PREDICT.replace("size: 2", "size: 5"))
    poll(model, recorder)
    assert runs == [("serving_default", 2), ("serving_default", 5)]
    assert model.available_versions() == [1]


def test_records_may_name_any_model(model, push_with):
    push_with(
        PREDICT.replace("request {", 'request { model_spec { name: "q" version { value: 9 } }')
    )
    poll(model)
    assert model.available_versions() == [1]


@pytest.mark.parametrize(
    ("record", "code", "text"),
    [
        (
            "predict_log { request {} }", grpc.StatusCode.INVALID_ARGUMENT,
            "Signature input alias: x(feed name: serving_default_x:0) not found in request",
        ),
        (
            'predict_log { request { model_spec { signature_name: "nosig" } } }', grpc.StatusCode.FAILED_PRECONDITION,
            'Serving signature key "nosig" not found.',
        ),
        ("classify_log { request {} }", grpc.StatusCode.INVALID_ARGUMENT, "Expected one input Tensor."),
        ("regress_log { request {} }", grpc.StatusCode.INVALID_ARGUMENT, "Expected one input Tensor."),
        ("multi_inference_log { request {} }", grpc.StatusCode.INVALID_ARGUMENT, "A MultiInferenceRequest must have"),
        ("session_run_log {}", grpc.StatusCode.UNIMPLEMENTED, "Unsupported log_type for warmup: session_run_log"),
        ("", grpc.StatusCode.UNIMPLEMENTED, "Unsupported log_type for warmup: None"),
        (b"\xff", grpc.StatusCode.INVALID_ARGUMENT, "Failed to parse warmup record: number 2 from "),
    ],
)  # fmt: skip
def test_a_record_that_fails_fails_the_version_and_the_old_one_stays(
    model, push, push_with, record, code, text
):
    push(1)
    poll(model)
    push_with(PREDICT, record, number=2)
    poll(model)
    newest, older = model.statuses()
    assert (newest.state.name, older.state.name) == ("END", "AVAILABLE")
    assert newest.error.code == code
    assert newest.error.text.startswith(text)


def test_a_file_that_is_no_record_file_fails_the_version(model, push):
    push(
        1,
        break_it=lambda folder: (
            folder / "assets.extra" / "tf_serving_warmup_requests"
        ).write_bytes(b"x" * 100),
    )
    poll(model)
    assert model.statuses()[0].error.code == grpc.StatusCode.DATA_LOSS


def test_a_thousand_records_are_the_most(model, push_with):
    push_with(*[PREDICT] * 1000)
    poll(model)
    assert model.available_versions() == [1]
    push_with(*[PREDICT] * 1001, number=2)
    poll(model)
    assert model.available_versions() == [1]
    assert model.statuses()[0].error.text.startswith(
        "Number of warmup records exceeds the maximum (1000) at "
    )
