"""The message types without TensorFlow."""

from __future__ import annotations

import subprocess
import sys

import pytest


def test_the_client_does_not_import_tensorflow():
    code = "import sys, serving.client.ranking_client; print('tensorflow' in sys.modules, 'tensorflow_serving' in sys.modules)"
    assert (
        subprocess.run(
            [sys.executable, "-c", code], check=True, capture_output=True, text=True
        ).stdout
        == "False False\n"
    )


@pytest.mark.tensorflow
def test_messages_have_the_wire_format_of_the_installed_api():
    from tensorflow_serving.apis import predict_pb2

    from serving import tf_serving_api

    own, installed = tf_serving_api.PredictRequest(), predict_pb2.PredictRequest()
    for request in (own, installed):
        request.model_spec.name = "toy"
        request.model_spec.version.value = 3
        request.inputs["x"].dtype = 1
        request.inputs["x"].tensor_shape.dim.add(size=2)
        request.inputs["x"].tensor_content = b"12345678"
    assert own.SerializeToString() == installed.SerializeToString()
    assert own.DESCRIPTOR.file.serialized_pb == installed.DESCRIPTOR.file.serialized_pb
