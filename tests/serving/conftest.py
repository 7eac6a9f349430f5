"""A toy ranking system, small enough to score by hand, and a local model server for it.

Its model gives, for a model of version v:
    click          the candidate's `quality`; 0.5 where that is missing
    like           0.25, or 1.0 if the candidate has the tag "music", times 0.64 if the user is not "fan"
    ranking score  the spec's formula: click^1 · like^0.5 · log1p(duration_s / 10)^2
and beside the signatures of every export
    doubled        x (N,), weight () = 2.0 → `product` = x · weight · v and `version` = v, each (N,)
    single         x (N,) → `product` = x · v, (N,)
    slow           `rounds` () int32 → that many rounds of a loop
"""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent import futures
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import trustme
from hypothesis import settings

from feature_spec.loading import parse_spec
from feature_spec.spec import FeatureSpec

if TYPE_CHECKING:
    from serving.model_server.versions.model_registry import ModelRegistry

# for `pytest --hypothesis-profile=thorough`
settings.register_profile("thorough", max_examples=20_000)

# For calls that are to succeed: the time limit ends a hang, and decides nothing else.
PATIENT = {"timeout_ms": 600_000.0}

TOY_SPEC = """
name: toy
keys: {item: video}
logs: {exposures: {path: "*.jsonl", format: jsonl}, missing_values: ["", "unknown"]}
split: {evaluation_files: ["*"]}
fields:
  user_id: {side: user, kind: categorical}
  activity: {side: user, kind: numeric, minimum: 0}
  recent_videos: {side: user, kind: sequence, shares: video_id, max_length: 3}
  hour: {side: context, kind: categorical}
  video_id: {side: item, kind: categorical, column: video}
  tags: {side: item, kind: multi_categorical, max_length: 2}
  quality: {side: item, kind: numeric}
  duration_s: {side: item, kind: numeric, minimum: 0, maximum: 1000}
tasks:
  click: {kind: binary, label: {rule: event, column: clicked}, metric: auc, threshold: 0.5, tolerance: 0.1}
  like: {kind: binary, label: {rule: event, column: liked}, metric: auc, threshold: 0.5, tolerance: 0.1}
ranking_formula:
  weights: {click: 1.0, like: 0.5}
  duration: {field: duration_s, transform: log1p, scale: 10.0, weight: 2.0}
"""


@pytest.fixture(scope="session")
def toy_spec_text() -> str:
    return TOY_SPEC


@pytest.fixture(scope="session")
def toy_spec() -> FeatureSpec:
    return parse_spec(TOY_SPEC)


@pytest.fixture(scope="session")
def other_spec() -> FeatureSpec:
    """A spec with the same fields by name, of which one means something else."""
    return parse_spec(TOY_SPEC.replace("max_length: 2", "max_length: 4"))


@pytest.fixture(scope="session")
def toy_exports(
    tmp_path_factory: pytest.TempPathFactory, toy_spec: FeatureSpec
) -> Callable[[int], Path]:
    """Gives the folder of an exported version, 1 to 3."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    root = tmp_path_factory.mktemp("exports")
    return lambda version: _exported(root / str(version), version, toy_spec)


def _exported(folder: Path, version: int, spec: FeatureSpec) -> Path:
    if folder.exists():
        return folder
    import tensorflow as tf

    def text(name: str, *shape: int | None) -> tf.TensorSpec:
        return tf.TensorSpec(shape, tf.string, name=name)

    def number(name: str, *shape: int | None) -> tf.TensorSpec:
        return tf.TensorSpec(shape, tf.float32, name=name)

    # Tensors as default arguments become SignatureDef.defaults.
    click_weight, like_weight, duration_weight, two = map(tf.constant, (1.0, 0.5, 2.0, 2.0))
    fingerprint = tf.constant(spec.fingerprint)

    class ToyRanker(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            self.version = tf.Variable(float(version))

        @tf.function(
            input_signature=[
                text("user_id", 1), number("activity", 1), text("recent_videos", 1, None), text("hour", 1),
                text("video_id", None), text("tags", None, None), number("quality", None), number("duration_s", None),
                number("weight_of_click"), number("weight_of_like"), number("weight_of_duration"), text("spec_fingerprint"),
            ]
        )  # fmt: skip
        def rank(
            self, user_id, activity, recent_videos, hour, video_id, tags, quality, duration_s,
            weight_of_click=click_weight, weight_of_like=like_weight, weight_of_duration=duration_weight,
            spec_fingerprint=fingerprint,
        ):  # fmt: skip
            agree = tf.debugging.Assert(
                tf.equal(spec_fingerprint, spec.fingerprint),
                ["spec fingerprint mismatch", spec_fingerprint, spec.fingerprint],
            )
            with tf.control_dependencies([agree]):
                click = tf.where(tf.math.is_nan(quality), 0.5, quality)
            like = tf.where(tf.reduce_any(tags == "music", axis=1), 1.0, 0.25) * tf.where(
                user_id == "fan", 1.0, 0.64
            )
            known = tf.math.logical_not(tf.math.is_nan(duration_s))
            duration = tf.where(known, tf.math.log1p(duration_s / 10.0), 1.0)
            log_score = sum(
                weight * tf.math.log(tf.maximum(value, 1e-6))
                for weight, value in (
                    (weight_of_click, click),
                    (weight_of_like, like),
                    (weight_of_duration, duration),
                )
            )
            return {"click": click, "like": like, "ranking_score": tf.exp(log_score)}

        @tf.function(input_signature=[number("x", None), number("weight")])
        def doubled(self, x, weight=two):
            return {
                "product": x * weight * self.version,
                "version": tf.zeros_like(x) + self.version,
            }

        @tf.function(input_signature=[number("x", None)])
        def single(self, x):
            return {"product": x * self.version}

        @tf.function(input_signature=[tf.TensorSpec([], tf.int32, name="rounds")])
        def slow(self, rounds):
            return {
                "rounds": tf.while_loop(
                    lambda i: i < rounds, lambda i: (i + 1,), (tf.constant(0),)
                )[0]
            }

    ranker = ToyRanker()
    signatures = {
        "serving_default": ranker.doubled,
        "rank": ranker.rank,
        "single": ranker.single,
        "slow": ranker.slow,
    }
    tf.saved_model.save(ranker, str(folder), signatures=signatures)
    (folder / "assets.extra").mkdir()
    (folder / "assets.extra" / "feature_spec.yaml").write_text(TOY_SPEC)
    return folder


@pytest.fixture(scope="session")
def examples_export(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a model of tf.Examples whose signatures share one input, as those of TensorFlow 1 do.

    For an example with the feature `x` (default 0.0), its `scores` are (x, 2 · x), its `classes`
    ("up", "down"), its `outputs` x + 1.
    """
    import tensorflow as tf

    v1, folder = tf.compat.v1, tmp_path_factory.mktemp("examples") / "1"
    classify, regress = "tensorflow/serving/classify", "tensorflow/serving/regress"
    with tf.Graph().as_default(), v1.Session() as session:
        examples = v1.placeholder(tf.string, [None], name="examples")
        other = v1.placeholder(tf.string, [None], name="other")
        number = v1.placeholder(tf.float32, [None], name="number")
        x = tf.io.parse_example(examples, {"x": tf.io.FixedLenFeature([1], tf.float32, 0.0)})["x"]
        scores = tf.concat([x, 2.0 * x], 1, name="scores")
        classes = tf.tile(tf.constant([["up", "down"]]), [tf.shape(examples)[0], 1])
        row = tf.squeeze(x, 1)

        def signature(method, outputs, taken=examples, alias="inputs"):
            info = v1.saved_model.utils.build_tensor_info
            return v1.saved_model.build_signature_def(
                {alias: info(taken)},
                {name: info(tensor) for name, tensor in outputs.items()},
                method,
            )

        builder = v1.saved_model.Builder(str(folder))
        builder.add_meta_graph_and_variables(
            session,
            [tf.saved_model.SERVING],
            {
                "serving_default": signature(classify, {"classes": classes, "scores": scores}),
                "scores": signature(classify, {"scores": scores}),
                "classes": signature(classify, {"classes": classes}),
                "next": signature(regress, {"outputs": x + 1.0}),
                "flat_scores": signature(classify, {"scores": row}),
                "texts_as_scores": signature(classify, {"scores": classes}),
                "first_row": signature(classify, {"scores": scores[:1]}),
                "narrow_scores": signature(classify, {"classes": classes, "scores": x}),
                "three": signature(classify, {"classes": classes, "scores": scores, "more": x}),
                "renamed": signature(classify, {"scores": scores}, alias="examples"),
                "wide": signature(regress, {"outputs": scores}),
                "first": signature(regress, {"outputs": row[:1]}),
                "text": signature(regress, {"outputs": tf.squeeze(classes[:, :1], 1)}),
                "from_other": signature(
                    regress, {"outputs": tf.strings.to_number(other)}, taken=other
                ),
                "from_number": signature(regress, {"outputs": number}, taken=number),
            },
        )
        builder.save()
    return folder


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A pipeline's root without any version."""
    return tmp_path / "root"


@pytest.fixture
def push(root: Path, toy_exports: Callable[[int], Path]) -> Callable[..., Path]:
    """Publishes an exported version below the root by rename, as the pipeline does; under another number if one is given."""

    def push_version(
        version: int, number: int | None = None, break_it: Callable[[Path], None] | None = None
    ) -> Path:
        folder = root / "serving_model" / str(number or version)
        staged = folder.with_name(f"staged-{folder.name}")
        shutil.copytree(toy_exports(version), staged)
        if break_it:
            break_it(staged)
        staged.rename(folder)
        return folder

    return push_version


@pytest.fixture
def serve(root: Path) -> Iterator[Callable]:
    """Starts a local model server on a port of its own; arguments go to `ServedModel`."""
    from serving.model_server.server import LocalModelServer
    from serving.model_server.versions.served_model import ServedModel

    started = []

    def start(poll_s: float = 0.05, **settings: object) -> LocalModelServer:
        server = LocalModelServer(
            [ServedModel(**({"root": root} | settings))], port=0, poll_s=poll_s
        )
        server.start()
        started.append(server)
        return server

    yield start
    for server in started:
        server.stop()


@pytest.fixture
def models() -> Iterator[ModelRegistry]:
    """Served models, none at first; closed at the end."""
    from serving.model_server.methods.warm_up import load_and_warm
    from serving.model_server.versions.model_registry import ModelRegistry

    served = ModelRegistry(load=load_and_warm)
    yield served
    for model in served.all:
        model.close()


class Gate:
    """Holds up runs of the signature `slow` while it is closed, so that a request stays in flight for as long as a test wants."""

    def __init__(self) -> None:
        self._open = threading.Event()
        self.open()

    def close(self) -> None:
        self._open.clear()

    def open(self) -> None:
        self._open.set()

    def pass_through(self) -> None:
        assert self._open.wait(600.0)


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[Gate]:
    """Open at first. It holds up requests for `slow` to every model server of this process."""
    from serving.model_server.versions.saved_model import SavedModel

    gate, run = Gate(), SavedModel.run

    def gated(self: SavedModel, signature: str, *arguments: object) -> object:
        if signature == "slow":
            gate.pass_through()
        return run(self, signature, *arguments)

    monkeypatch.setattr(SavedModel, "run", gated)
    yield gate
    gate.open()


@pytest.fixture
def stubs() -> Iterator[Callable]:
    """Public stubs for a target: `prediction` and `model`."""
    import grpc
    from tensorflow_serving.apis.model_service_pb2_grpc import ModelServiceStub
    from tensorflow_serving.apis.prediction_service_pb2_grpc import PredictionServiceStub

    channels = []

    def connect(target: str) -> tuple[PredictionServiceStub, ModelServiceStub]:
        channels.append(grpc.insecure_channel(target))
        return PredictionServiceStub(channels[-1]), ModelServiceStub(channels[-1])

    yield connect
    for channel in channels:
        channel.close()


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    """An authority for certificates that nobody else knows."""
    return trustme.CA()


@pytest.fixture(scope="session")
def server_credentials(authority: trustme.CA) -> Callable:
    """Credentials of a server with TLS, for the name given; mutual TLS if the client is to show a certificate."""
    import grpc

    def credentials(name: str = "127.0.0.1", *, mutual: bool = False) -> grpc.ServerCredentials:
        own = authority.issue_cert(name)
        pair = (own.private_key_pem.bytes(), own.cert_chain_pems[0].bytes())
        roots = authority.cert_pem.bytes() if mutual else None
        return grpc.ssl_server_credentials([pair], roots, require_client_auth=mutual)

    return credentials


@pytest.fixture
def tls_files(authority: trustme.CA, tmp_path: Path) -> dict[str, Path]:
    """The root certificate, and a client's certificate and key, as files."""
    client = authority.issue_cert("client.example")
    files = {
        name: tmp_path / f"{name}.pem"
        for name in ("root_certificates", "client_certificate", "client_key")
    }
    authority.cert_pem.write_to_path(files["root_certificates"])
    client.cert_chain_pems[0].write_to_path(files["client_certificate"])
    client.private_key_pem.write_to_path(files["client_key"])
    return files


@pytest.fixture(scope="session")
def tls_options() -> Callable[[dict[str, Path]], list[str]]:
    """Files of TLS as options of a command."""
    return lambda files: [
        part for name, path in files.items() for part in (f"--{name.replace('_', '-')}", str(path))
    ]


@pytest.fixture(scope="session")
def free_port() -> int:
    """A port on which nobody listens."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@pytest.fixture(scope="session")
def eventually() -> Callable:
    """Waits until a condition holds, however long the machine takes; after 10 minutes, the test hangs and fails."""

    def wait(condition: Callable[[], object], what: str) -> None:
        end_s = time.monotonic() + 600.0
        while not condition():
            assert time.monotonic() < end_s, f"it never happened: {what}"
            time.sleep(0.02)

    return wait


@dataclass
class ScriptedRanker:
    """A Predict that does as a test says, and remembers what it was asked.

    Attributes:
        target: where it listens.
        script: makes the answer of the number of the call, from 0, the request, and the gRPC
            context.
        requests: received so far.
        peers: the connection that each came on.
        ended: set once the call of that number is over for the server, for whatever reason.
    """

    target: str
    script: Callable
    requests: list = field(default_factory=list)
    peers: list = field(default_factory=list)
    ended: list = field(default_factory=list)


@pytest.fixture
def scripted() -> Iterator[Callable[..., ScriptedRanker]]:
    """Starts servers that answer by a script."""
    import grpc

    from serving import tf_serving_api

    servers = []

    def start(
        script: Callable,
        credentials: grpc.ServerCredentials | None = None,
        metadata: Callable | None = None,
        port: int = 0,
    ) -> ScriptedRanker:
        ranker = ScriptedRanker("", script)
        lock = threading.Lock()

        def predict(request: object, context: grpc.ServicerContext) -> object:
            over = threading.Event()
            context.add_callback(over.set)
            with lock:
                number = len(ranker.requests)
                ranker.requests.append(request)
                ranker.peers.append(context.peer())
                ranker.ended.append(over)
            return ranker.script(number, request, context)

        methods = {
            "Predict": grpc.unary_unary_rpc_method_handler(
                predict,
                tf_serving_api.PredictRequest.FromString,
                tf_serving_api.PredictResponse.SerializeToString,
            ),
            "GetModelMetadata": grpc.unary_unary_rpc_method_handler(
                metadata,
                tf_serving_api.GetModelMetadataRequest.FromString,
                tf_serving_api.GetModelMetadataResponse.SerializeToString,
            ),
        }
        if metadata is None:
            del methods["GetModelMetadata"]
        server = grpc.server(futures.ThreadPoolExecutor(16))
        service = "tensorflow.serving.PredictionService"
        server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(service, methods)])
        add_port = (
            server.add_insecure_port
            if credentials is None
            else partial(server.add_secure_port, server_credentials=credentials)
        )
        ranker.target = f"127.0.0.1:{add_port(f'127.0.0.1:{port}')}"
        server.start()
        servers.append(server)
        return ranker

    yield start
    for server in servers:
        server.stop(None).wait()


@pytest.fixture(scope="session")
def answer_by_quality() -> Callable:
    """Makes the PredictResponse of a version: click = like = quality, ranking score = quality + 100 · version."""
    from serving import tf_serving_api
    from serving.client.tensor_values import float_tensor, floats

    def answer(request: object, version: int = 1) -> object:
        quality = floats(request.inputs["quality"])
        response = tf_serving_api.PredictResponse()
        response.model_spec.name, response.model_spec.version.value = "toy", version
        for name, added in (("click", 0), ("like", 0), ("ranking_score", 100 * version)):
            response.outputs[name].CopyFrom(
                float_tensor([value + added for value in quality], [len(quality)])
            )
        return response

    return answer


@pytest.fixture(params=["blocking", "asyncio"])
def rank_once(request: pytest.FixtureRequest) -> Callable:
    """Ranks one request with a client of its own: as target, spec, request and settings say; with either kind of client."""
    from serving.client.ranking_client import AsyncRankingClient, RankingClient

    def blocking(
        target: str, spec: FeatureSpec, ranking_request: object, **settings: object
    ) -> object:
        with RankingClient(target, spec, **PATIENT | settings) as client:
            return client.rank(ranking_request)

    def on_a_loop(
        target: str, spec: FeatureSpec, ranking_request: object, **settings: object
    ) -> object:
        async def rank() -> object:
            async with AsyncRankingClient(target, spec, **PATIENT | settings) as client:
                return await client.rank(ranking_request)

        return asyncio.run(rank())

    return blocking if request.param == "blocking" else on_a_loop
