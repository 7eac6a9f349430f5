"""Model servers that do as told, over a real gRPC connection, without TensorFlow."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent import futures

import grpc
import pytest

from feature_spec.loading import parse_spec
from feature_spec.names import RANKING_SCORE
from feature_spec.spec import FeatureSpec

LOAD_SPEC = """
name: load
logs: {exposures: {path: "*.jsonl", format: jsonl}}
split: {evaluation_files: ["*"]}
fields:
  user_id: {side: user, kind: categorical}
  recent_videos: {side: user, kind: sequence, shares: video_id, max_length: 3}
  hour: {side: context, kind: categorical, hash_buckets: 24}
  video_id: {side: item, kind: categorical}
  tags: {side: item, kind: multi_categorical, max_length: 2}
  share: {side: item, kind: numeric, minimum: 0.25, maximum: 0.75}
  duration_s: {side: item, kind: numeric, minimum: 5}
  below: {side: item, kind: numeric, maximum: -1}
tasks:
  click: {kind: binary, label: {rule: event, column: clicked}, metric: auc, threshold: 0.5, tolerance: 0.1}
ranking_formula: {weights: {click: 1.0}}
"""


@pytest.fixture(scope="session")
def load_spec_text() -> str:
    return LOAD_SPEC


@pytest.fixture(scope="session")
def load_spec() -> FeatureSpec:
    return parse_spec(LOAD_SPEC)


@pytest.fixture(scope="session")
def scores(load_spec: FeatureSpec) -> Callable[[bytes], bytes]:
    """The answer to an encoded request: 0.5 for every candidate and task, from version 7."""
    from serving import tf_serving_api
    from serving.client.tensor_values import float_tensor, shape_of

    def answer(encoded: bytes) -> bytes:
        request = tf_serving_api.PredictRequest.FromString(encoded)
        count = shape_of(request.inputs["video_id"])[0]
        response = tf_serving_api.PredictResponse()
        response.model_spec.name = request.model_spec.name
        response.model_spec.version.value = 7
        for name in (*load_spec.tasks, RANKING_SCORE):
            response.outputs[name].CopyFrom(float_tensor([0.5] * count, [count]))
        return response.SerializeToString()

    return answer


@pytest.fixture
def serve_with() -> Iterator[Callable[..., str]]:
    """Starts a server whose Predict is the given function of (bytes, context); gives its target."""
    servers = []

    def start(
        predict: Callable[[bytes, grpc.ServicerContext], bytes],
        workers: int = 32,
        credentials: grpc.ServerCredentials | None = None,
    ) -> str:
        server = grpc.server(futures.ThreadPoolExecutor(workers))
        methods = {"Predict": grpc.unary_unary_rpc_method_handler(predict)}
        server.add_generic_rpc_handlers(
            [grpc.method_handlers_generic_handler("tensorflow.serving.PredictionService", methods)]
        )
        port = (
            server.add_secure_port("127.0.0.1:0", credentials)
            if credentials
            else server.add_insecure_port("127.0.0.1:0")
        )
        server.start()
        servers.append(server)
        return f"127.0.0.1:{port}"

    yield start
    for server in servers:
        server.stop(None)
