"""Warm-up: requests that come with a version, replayed before it is AVAILABLE.

TensorFlow optimises a graph at the first run of each shape of request, which takes long enough to
use up the time limit of a request. A version whose own requests fail does not go into service.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import grpc
import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog

from serving.model_server.methods.classify import classify
from serving.model_server.methods.multi_inference import multi_inference
from serving.model_server.methods.predict import predict
from serving.model_server.methods.regress import regress
from serving.model_server.status_error import StatusError, from_tensorflow, invalid_argument
from serving.model_server.versions.saved_model import SavedModel
from serving.model_server.versions.version import VersionInUse

WARM_UP_FILE = Path("assets.extra") / "tf_serving_warmup_requests"
MAX_RECORDS = 1000


def load_and_warm(folder: Path, load: Callable[[Path], SavedModel] = SavedModel) -> SavedModel:
    """Load a version and warm it up, by the requests that came with it or by a row a signature.

    Args:
        folder: The version's folder, named by its number.
        load: Makes a model of the folder.

    Raises:
        StatusError: The version cannot be loaded, or its warm-up fails.
    """
    model = load(folder)
    try:
        if not warm_up(VersionInUse(number=int(folder.name), model=model), folder):
            model.run_each_once()
    except Exception as error:
        model.close()
        if isinstance(error, StatusError):
            raise
        raise StatusError(
            grpc.StatusCode.UNKNOWN, f"warm-up: {type(error).__name__}: {error}"
        ) from error
    return model


def warm_up(version: VersionInUse, folder: Path) -> bool:
    """Replay the requests of a version's `WARM_UP_FILE`, an uncompressed TFRecord of PredictionLog.

    Args:
        version: The version that runs the requests, whatever model they name.
        folder: The folder of the version.

    Returns:
        Whether there is such a file.

    Raises:
        StatusError: A record cannot be read or fails, or there are more than `MAX_RECORDS`.
    """
    path = folder / WARM_UP_FILE
    if not path.exists():
        return False
    try:
        for position, record in enumerate(tf.data.TFRecordDataset(str(path)).as_numpy_iterator()):
            if position == MAX_RECORDS:
                raise invalid_argument(
                    f"Number of warmup records exceeds the maximum ({MAX_RECORDS}) at {path}"
                )
            _replay(version, _log(record, position, path))
    except tf.errors.OpError as error:
        raise from_tensorflow(error) from error
    return True


def _log(record: bytes, position: int, path: Path) -> PredictionLog:
    try:
        return PredictionLog.FromString(record)
    except DecodeError as error:
        raise invalid_argument(
            f"Failed to parse warmup record: number {position + 1} from {path}"
        ) from error


def _replay(version: VersionInUse, log: PredictionLog) -> None:
    kind = log.WhichOneof("log_type")
    if kind == "predict_log":
        predict(version, log.predict_log.request, None)
    elif kind == "classify_log":
        classify(version, log.classify_log.request, None)
    elif kind == "regress_log":
        regress(version, log.regress_log.request, None)
    elif kind == "multi_inference_log":
        multi_inference(version, log.multi_inference_log.request, None)
    else:
        raise StatusError(grpc.StatusCode.UNIMPLEMENTED, f"Unsupported log_type for warmup: {kind}")
