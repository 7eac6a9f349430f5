"""The ranking client: a typed request in, a ranked list out, over TensorFlow Serving's gRPC API.

    with RankingClient("127.0.0.1:8500", load_spec("short_video")) as client:
        ranked = client.rank(RankingRequest(user={"user_id": "u1"}, candidates=[Candidate(fields={"video_id": "v1"})]))
        for candidate in ranked:
            print(candidate.rank, candidate.ranking_score, candidate.scores)

It talks to the local model server and to TensorFlow Serving alike, and does not import TensorFlow. `serving.errors` draws the
tree of what it raises.
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import grpc

from feature_spec.formula_terms import weights_in_force
from feature_spec.names import RANK, SPEC_FINGERPRINT, weight_name
from feature_spec.spec import FeatureSpec
from serving import messages
from serving.errors import RankingError, RequestRefusedError, SpecMismatchError, UnusableModelError, server_error
from serving.predicted_scores import ranked_list
from serving.ranked_list import RankedList
from serving.ranking_request import RankingRequest
from serving.request_tensors import request_tensors
from serving.tensor_values import floats

_CHANNEL_OPTIONS = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
_FINGERPRINT = re.compile(r"\b[0-9a-f]{16}\b")


@dataclass(frozen=True, kw_only=True)
class ServedModelInfo:
    """A model that a server has loaded and that fits the client.

    Attributes:
        name: the model's name.
        version: the version in service when it was asked for.
        weights: the exponents of its ranking formula by task, and ``duration`` if the formula has one.
    """

    name: str
    version: int
    weights: Mapping[str, float]


class RankingClient:
    """Ranks candidates with a served model. One client may be used by many threads; close it when done."""

    def __init__(self, target: str, spec: FeatureSpec, *, model_name: str | None = None, timeout_ms: float = 1000.0) -> None:
        """Connects at the first call.

        Args:
            target: ``host:port`` of the server's gRPC port.
            spec: the feature spec that the model was trained with.
            model_name: the model's name on the server. Defaults to the spec's.
            timeout_ms: milliseconds after which a call is given up, unless the call says otherwise.
        """
        self.target = target
        self.spec = spec
        self.model_name = model_name or spec.name
        self._timeout_ms = _positive(timeout_ms)
        self._channel = grpc.insecure_channel(target, options=_CHANNEL_OPTIONS)
        self._predict = self._method(messages.PREDICT, messages.PredictRequest, messages.PredictResponse)
        self._metadata = self._method(
            messages.GET_MODEL_METADATA, messages.GetModelMetadataRequest, messages.GetModelMetadataResponse
        )

    def rank(self, request: RankingRequest, *, timeout_ms: float | None = None) -> RankedList:
        """Ranks the candidates of a request, all with one version of the model.

        Args:
            request: whom to rank what for.
            timeout_ms: milliseconds after which to give up. Defaults to the client's.

        Raises:
            RankingError: one of the errors in `serving.errors`.
        """
        deadline = _Deadline(self._timeout_ms if timeout_ms is None else timeout_ms)
        message = messages.PredictRequest()
        message.model_spec.name = self.model_name
        message.model_spec.signature_name = RANK
        for name, tensor in request_tensors(self.spec, request).items():
            message.inputs[name].CopyFrom(tensor)
        try:
            response = self._call(self._predict, message, deadline)
        except RequestRefusedError as error:
            self._raise_if_specs_differ(error, deadline)
            raise
        return ranked_list(self.spec, request, response)

    def check(self, *, timeout_ms: float | None = None) -> ServedModelInfo:
        """Asks what is served, and makes sure that it follows the client's spec.

        Raises:
            SpecMismatchError: the model was trained with another spec.
            UnusableModelError: the model has no `rank` signature that names its spec.
            RankingError: the call failed.
        """
        return self._check(_Deadline(self._timeout_ms if timeout_ms is None else timeout_ms))

    def close(self) -> None:
        """Closes the connection."""
        self._channel.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self.close()

    def _method(self, path: str, request: Any, response: Any) -> Any:
        return self._channel.unary_unary(
            path, request_serializer=request.SerializeToString, response_deserializer=response.FromString
        )

    def _call(self, method: Any, message: Any, deadline: _Deadline) -> Any:
        try:
            return method(message, timeout=deadline.remaining_s)
        except grpc.RpcError as error:
            raise server_error(error, target=self.target, timeout_ms=deadline.timeout_ms) from error

    def _check(self, deadline: _Deadline) -> ServedModelInfo:
        request = messages.GetModelMetadataRequest(metadata_field=["signature_def"])
        request.model_spec.name = self.model_name
        response = self._call(self._metadata, request, deadline)
        signatures = messages.SignatureDefMap()
        response.metadata["signature_def"].Unpack(signatures)
        version = response.model_spec.version.value
        defaults = signatures.signature_def[RANK].defaults
        if SPEC_FINGERPRINT not in defaults:
            raise UnusableModelError(
                f"{self.target}: model {self.model_name} version {version} has no signature {RANK!r} with a default for "
                f"{SPEC_FINGERPRINT!r}; was it exported by Fulcrum?"
            )
        fingerprint = defaults[SPEC_FINGERPRINT].string_val[0].decode()
        if fingerprint != self.spec.fingerprint:
            raise SpecMismatchError(self.spec.fingerprint, fingerprint)
        own = weights_in_force(self.spec.ranking_formula, self.spec.tasks)
        served = {name: floats(defaults[weight_name(name)])[0] for name in own if weight_name(name) in defaults}
        return ServedModelInfo(name=self.model_name, version=version, weights=served)

    def _raise_if_specs_differ(self, error: RequestRefusedError, deadline: _Deadline) -> None:
        """A refused request may be one for another spec: the graph names both fingerprints, or an input does not exist."""
        own = self.spec.fingerprint
        others = [found for found in _FINGERPRINT.findall(error.text) if found != own]
        if own in error.text and others:
            raise SpecMismatchError(own, others[0]) from error
        try:
            self._check(deadline)
        except SpecMismatchError as mismatch:
            raise mismatch from error
        except RankingError:
            return  # the first error says more


class _Deadline:
    """The time that a call may take in all."""

    def __init__(self, timeout_ms: float) -> None:
        self.timeout_ms = _positive(timeout_ms)
        self._end_s = time.monotonic() + timeout_ms / 1000.0

    @property
    def remaining_s(self) -> float:
        return max(self._end_s - time.monotonic(), 0.0)


def _positive(timeout_ms: float) -> float:
    if not (timeout_ms > 0.0 and math.isfinite(timeout_ms)):
        raise ValueError(f"timeout_ms must be a finite number above 0; received {timeout_ms!r}")
    return timeout_ms
