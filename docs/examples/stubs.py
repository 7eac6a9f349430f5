"""A caller with TensorFlow Serving's own stubs (`pip install tensorflow tensorflow-serving-api`).

    python docs/examples/stubs.py 127.0.0.1:8500 short_video docs/examples/short_video.json

The file is a body of the REST API. Over gRPC, unlike over REST, the file may leave out inputs that
have a default.
"""

from __future__ import annotations

import json
import sys

import grpc
import tensorflow as tf
from tensorflow_serving.apis.get_model_metadata_pb2 import GetModelMetadataRequest, SignatureDefMap
from tensorflow_serving.apis.predict_pb2 import PredictRequest
from tensorflow_serving.apis.prediction_service_pb2_grpc import PredictionServiceStub

TIMEOUT_S = 60.0

target, model, file = sys.argv[1:]
with open(file, encoding="utf-8") as text:
    body = json.load(text)

with grpc.insecure_channel(target) as channel:
    service = PredictionServiceStub(channel)
    metadata = service.GetModelMetadata(
        GetModelMetadataRequest(model_spec={"name": model}, metadata_field=["signature_def"]),
        timeout=TIMEOUT_S,
    )
    signatures = SignatureDefMap()
    metadata.metadata["signature_def"].Unpack(signatures)
    declared = signatures.signature_def[body["signature_name"]].inputs

    request = PredictRequest(model_spec={"name": model, "signature_name": body["signature_name"]})
    for name, value in body["inputs"].items():
        request.inputs[name].CopyFrom(tf.make_tensor_proto(value, declared[name].dtype))
    response = service.Predict(request, timeout=TIMEOUT_S)

print(
    json.dumps(
        {
            name: tf.make_ndarray(tensor).tolist()
            for name, tensor in sorted(response.outputs.items())
        }
    )
)
