"""The warm-up file of a version: requests that a model server answers to itself before the version takes over."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import tensorflow as tf
from tensorflow_serving.apis.predict_pb2 import PredictRequest
from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog, PredictLog

from feature_spec.names import TOP_K
from feature_spec.spec import FeatureSpec
from serving.model_server.methods.warm_up import WARM_UP_FILE
from serving.push_check.logged_requests import Example, examples_request, rank_request

# Signatures that read examples are not asked by users in a hurry: a few rows make their graph
# ready.
_EXAMPLES = 8
_TOP_K = 10


def write_warmup_file(
    spec: FeatureSpec, signatures: Mapping[str, Any], examples: Sequence[Example], folder: Path
) -> int:
    """Writes the file into a version's folder and returns the number of its requests.

    Uncompressed TFRecord of PredictionLog, the same bytes for the same examples.

    Args:
        spec: what the model was trained with.
        signatures: those of the loaded model by name.
        examples: logged ones; they are used over again where a request has more candidates.
        folder: of the version.

    Raises:
        ValueError: the model has a signature for which no request can be made of examples.
    """
    path = folder / WARM_UP_FILE
    path.parent.mkdir(exist_ok=True)
    requests = list(_requests(spec, signatures, examples))
    with tf.io.TFRecordWriter(str(path)) as writer:
        for request in requests:
            writer.write(
                PredictionLog(predict_log=PredictLog(request=request)).SerializeToString(
                    deterministic=True
                )
            )
    return len(requests)


def _requests(
    spec: FeatureSpec, signatures: Mapping[str, Any], examples: Sequence[Example]
) -> Iterator[PredictRequest]:
    for name, signature in sorted(signatures.items()):
        inputs = signature.structured_input_signature[1].keys()
        if inputs == {"examples"}:
            yield examples_request(spec, name, examples[:_EXAMPLES])
        elif inputs >= spec.fields.keys():
            for count in spec.serving.candidate_counts:
                request = rank_request(
                    spec, name, examples[0], [examples[i % len(examples)] for i in range(count)]
                )
                if TOP_K in inputs:
                    request.inputs[TOP_K].CopyFrom(tf.make_tensor_proto(min(_TOP_K, count)))
                yield request
        else:
            raise ValueError(
                f"no warm-up request can be made for signature {name!r}, which reads {', '.join(sorted(inputs))}"
            )
