"""Ranking requests as bytes on the wire, made before the load begins so that making them is no part of it."""

from __future__ import annotations

from collections.abc import Iterable

from feature_spec.names import RANK
from feature_spec.spec import FeatureSpec
from serving import tf_serving_api
from serving.client.ranking_request import RankingRequest
from serving.client.request_tensors import request_tensors


def encoded_requests(
    spec: FeatureSpec,
    requests: Iterable[RankingRequest],
    *,
    model_name: str,
    label: str | None = None,
) -> list[bytes]:
    """A serialised PredictRequest for the `rank` signature each.

    Args:
        spec: the feature spec of the requests and of the model.
        requests: what to rank for whom.
        model_name: the model's name on the server.
        label: a version label, such as ``canary``; without one the server's latest version answers.

    Raises:
        InvalidRequestError: a request does not fit the spec.
    """
    encoded = []
    for request in requests:
        message = tf_serving_api.PredictRequest()
        message.model_spec.name = model_name
        message.model_spec.signature_name = RANK
        if label is not None:
            message.model_spec.version_label = label
        for name, tensor in request_tensors(spec, request).items():
            message.inputs[name].CopyFrom(tensor)
        encoded.append(message.SerializeToString())
    return encoded
