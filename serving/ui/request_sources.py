"""The sources of the page's requests: request files, the evaluation split, or a warm-up file."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path

import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorflow_serving.apis.predict_pb2 import PredictRequest
from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog

from feature_spec.names import RANK, RANK_TOP_K
from feature_spec.spec import FeatureSpec
from serving.errors import RankingError
from serving.model_server.methods.warm_up import WARM_UP_FILE
from serving.rank.request_file import RequestFileError, read_request_file
from serving.ui.logged_examples import evaluation_files, requests_of_examples
from serving.ui.logged_request import LoggedRequest, typed_request

_MOST = 100


def requests_of_file(spec: FeatureSpec, path: Path) -> list[LoggedRequest]:
    """Return the ranking requests of a file, at most 100; all their candidates count as shown.

    Args:
        spec: The feature spec of the model that is to rank the requests.
        path: A ``*.json`` file with one request, or a TFRecord of PredictionLog, such as a request
            log or a version's warm-up file.

    Raises:
        RequestFileError: The file cannot be read, or holds no ranking request that fits the spec.
    """
    if path.suffix == ".json":
        request = read_request_file(path).request(spec)
        return [LoggedRequest(label=path.stem, request=request, shown=len(request.candidates))]
    try:
        found = list(itertools.islice(_ranking_requests(path), _MOST))
        requests = [typed_request(spec, request) for request in found]
    except (tf.errors.OpError, DecodeError) as error:
        raise RequestFileError(
            f"{path}: neither *.json nor an uncompressed TFRecord of PredictionLog: {error}"
        ) from error
    except ValueError as error:
        raise RequestFileError(
            f"{path}: a request for another spec than {spec.name}'s: {error}"
        ) from error
    if not requests:
        raise RequestFileError(f"{path}: holds no request to {RANK!r} or {RANK_TOP_K!r}")
    return [
        LoggedRequest(label=f"request {position}", request=request, shown=len(request.candidates))
        for position, request in enumerate(requests, start=1)
    ]


def _ranking_requests(path: Path) -> Iterator[PredictRequest]:
    for record in tf.data.TFRecordDataset(str(path)).as_numpy_iterator():
        request = PredictionLog.FromString(record).predict_log.request
        if request.model_spec.signature_name in (RANK, RANK_TOP_K):
            yield request


class NoRequestsError(RankingError):
    """There is nothing to make a ranking request of. The message tells where it was looked for."""


def logged_requests(
    spec: FeatureSpec, version_folder: Path, files: Sequence[Path] = ()
) -> tuple[list[LoggedRequest], str]:
    """Ranking requests for a model, and in words where they come from.

    Args:
        spec: The feature spec of the model.
        version_folder: The folder of the version, ``<pipeline's root>/serving_model/<version>`` or
            another.
        files: Request files. Without any, the root's evaluation split is read, else the version's
            warm-up file.

    Raises:
        NoRequestsError: There is none of these.
        RequestFileError: A file cannot be used.
    """
    if files:
        requests = [request for file in files for request in requests_of_file(spec, file)]
        return requests, ", ".join(file.name for file in files)
    examples = evaluation_files(version_folder.parent.parent)
    if examples:
        return requests_of_examples(
            spec, examples
        ), "the evaluation split, which the model was not trained on"
    warm_up = version_folder / WARM_UP_FILE
    if warm_up.exists():
        return requests_of_file(spec, warm_up), "the version's warm-up file"
    raise NoRequestsError(
        f"no logged requests: {version_folder.parent.parent} has no ingested examples and "
        f"{version_folder} no {WARM_UP_FILE}; "
        "give request files with --ui-requests"
    )
