"""The check that the pipeline calls, by import path, before it pushes a version.

The version is served as it will be, by the local model server over gRPC, with requests made of
logged examples. Each score must be that of the trainer's own export on the same examples, run in
this process, and each answer must come in time.
"""

from __future__ import annotations

import itertools
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import grpc
import tensorflow as tf
from tensorflow_serving.apis.predict_pb2 import PredictRequest
from tensorflow_serving.apis.prediction_service_pb2_grpc import PredictionServiceStub

from feature_spec.artifacts.push_check_report import PushCheckReport, RankingLatency
from feature_spec.loading import parse_spec
from feature_spec.names import LOG_RANKING_SCORE, RANK, RANKING_SCORE, SERVING_DEFAULT
from feature_spec.spec import FeatureSpec
from serving.model_server.server import LocalModelServer
from serving.model_server.versions.served_model import ServedModel
from serving.push_check.criteria import (
    ScoreDifference,
    largest_difference,
    latency_refusal,
    measured_latency,
)
from serving.push_check.logged_requests import (
    Example,
    examples_request,
    known_fingerprint,
    rank_request,
    shown_to,
    write_warmup_file,
)
from serving.push_check.trainers_model import TrainersModel

_REPLAYED = 5
_TIMED = 100
_LONGEST_S = 3600.0  # ends a call that hangs; a slow machine never takes this long
_CHANNEL_OPTIONS = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]


def check_before_push(
    *, model: str, example_files: Sequence[str], spec: str, version: str
) -> PushCheckReport:
    """Make the version that may be pushed, and check it.

    Args:
        model: Folder of the trainer's export.
        example_files: Gzipped TFRecords of ingested examples, which the trainer did not train on.
        spec: Text of the feature spec.
        version: Folder to write: the export with its warm-up requests.

    Raises:
        ValueError: There are no examples, or a signature for which no request can be made.
    """
    feature_spec = parse_spec(spec).served
    examples = _examples(example_files, max(feature_spec.serving.candidate_counts))
    shutil.copytree(model, version)
    trainers_model = TrainersModel(model)
    warmup_requests = write_warmup_file(
        feature_spec, trainers_model.inputs, examples, Path(version)
    )
    fingerprint = known_fingerprint(feature_spec, Path(version))
    differences: list[ScoreDifference] = []
    latencies: list[RankingLatency] = []
    refusals = []
    with ExitStack() as stack:
        stack.callback(trainers_model.close)
        server = stack.enter_context(_served(version, feature_spec.name))
        if not server.models.all[0].available_versions():
            [broken] = server.models.all[0].statuses()
            refusals.append(f"the version cannot be loaded: {broken.error and broken.error.text}")
        else:
            channel = stack.enter_context(
                grpc.insecure_channel(server.target, options=_CHANNEL_OPTIONS)
            )
            predict = PredictionServiceStub(channel).Predict
            try:
                differences = [
                    _compared(feature_spec, trainers_model, predict, *request)
                    for request in _replayed(feature_spec, examples, fingerprint)
                ]
                latencies = _latencies(feature_spec, predict, examples, fingerprint)
            except grpc.RpcError as error:
                refusals.append(
                    f"a request made of logged examples failed: {error.code().name}: "
                    f"{error.details()}"
                )
    limits = feature_spec.serving
    worst = max(differences, key=lambda difference: difference.size, default=None)
    if worst is not None and not worst.size <= limits.score_tolerance:
        refusals.append(worst.refusal(limits.score_tolerance))
    refusals += [
        latency_refusal(latency, limits.latency_budget_ms)
        for latency in latencies
        if latency.p99 > limits.latency_budget_ms
    ]
    return PushCheckReport(
        refusals=refusals,
        warmup_requests=warmup_requests,
        compared_requests=len(differences),
        largest_difference=worst.size if worst is not None else None,
        latency_ms=latencies,
        latency_budget_ms=limits.latency_budget_ms,
    )


def _examples(files: Sequence[str], count: int) -> list[Example]:
    records = tf.data.TFRecordDataset(sorted(files), compression_type="GZIP").take(count)
    examples = [Example.FromString(record) for record in records.as_numpy_iterator()]
    if not examples:
        raise ValueError(f"no example to make a request of in {len(files)} files")
    return examples


@contextmanager
def _served(version: str, name: str) -> Iterator[LocalModelServer]:
    with tempfile.TemporaryDirectory() as root:
        (Path(root) / "1").symlink_to(Path(version).resolve())
        with LocalModelServer([ServedModel(Path(root), name=name)], port=0) as server:
            yield server


def _replayed(
    spec: FeatureSpec, examples: Sequence[Example], fingerprint: str
) -> Iterator[tuple[PredictRequest, list[Example]]]:
    """Yield requests, each with the examples that are to have the same scores."""
    for count in spec.serving.candidate_counts:
        for user in _some(examples, _REPLAYED):
            items = _some(examples, count)
            yield (
                rank_request(spec, RANK, user, items, fingerprint),
                [shown_to(spec, user, item) for item in items],
            )
    yield examples_request(spec, SERVING_DEFAULT, examples), list(examples)


def _compared(
    spec: FeatureSpec,
    trainers_model: TrainersModel,
    predict: Any,
    request: PredictRequest,
    examples: Sequence[Example],
) -> ScoreDifference:
    served = predict(request, timeout=_LONGEST_S).outputs
    own = trainers_model.scores([example.SerializeToString() for example in examples])
    what = (
        f"{request.model_spec.signature_name} of {len(examples)} "
        f"{'row' if len(examples) == 1 else 'rows'}"
    )
    # The logarithm tells ranking scores apart that float32 takes for 0.
    return largest_difference(
        what,
        {
            name: (tf.make_ndarray(served[name]), own[name])
            for name in (*spec.tasks, *spec.joints, RANKING_SCORE, LOG_RANKING_SCORE)
            if name != LOG_RANKING_SCORE or name in own
        },
        # Its error is that of the log scores, weighted.
        units={LOG_RANKING_SCORE: max(1.0, sum(map(abs, spec.ranking_formula.weights.values())))},
    )


def _latencies(
    spec: FeatureSpec, predict: Any, examples: Sequence[Example], fingerprint: str
) -> list[RankingLatency]:
    return [
        measured_latency(
            count,
            lambda request: predict(request, timeout=_LONGEST_S),
            [
                rank_request(spec, RANK, user, _some(examples, count), fingerprint)
                for user in _some(examples, _TIMED)
            ],
        )
        for count in spec.serving.candidate_counts
    ]


def _some(examples: Sequence[Example], count: int) -> list[Example]:
    """Return the first examples, over again if there are too few."""
    return list(itertools.islice(itertools.cycle(examples), count))
