"""The common base of the blocking and the asyncio client: everything but sending and waiting."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any

import grpc

from feature_spec.formula import weights_in_force
from feature_spec.names import (
    FIELD,
    FIELD_PRESENCE,
    PRESENT_SHARE,
    RANK,
    SPEC_FINGERPRINT,
    weight_name,
)
from feature_spec.spec import FeatureSpec
from feature_spec.spec_difference import differences, differences_in_names
from serving import tf_serving_api
from serving.client.history_filling import HistoryCounts, HistoryFilling, HistoryPolicy
from serving.client.left_out_fields import LeftOutFields, sides_to_give
from serving.client.predicted_scores import ranked_list
from serving.client.request_log import RequestLog
from serving.client.request_splitting import answers_of_one_version, part_inputs, part_sizes
from serving.client.request_tensors import request_tensors
from serving.client.side_tables import SideTables
from serving.client.tensor_values import floats, text_tensor
from serving.client.tls import Tls
from serving.client.transport.attempts import Call, CallCounts, CallPolicy
from serving.client.transport.channel_pool import ChannelPool, ChannelRotation
from serving.client.transport.policies import Deadline, HedgingPolicy, RetryPolicy, positive_ms
from serving.client.transport.protocol import Steps
from serving.client.types import Candidate, RankedList, RankingRequest, ServedModelInfo
from serving.errors import (
    RankingError,
    RequestRefusedError,
    ServerError,
    SpecMismatchError,
    UnusableModelError,
    server_error,
)
from serving.histories.store import HistoryStore, HistoryValues

_FINGERPRINT = re.compile(r"\b[0-9a-f]{16}\b")


class BaseRankingClient:
    """Base of the clients. It connects at the first call.

    Args:
        target: ``host:port`` of the server's gRPC port, or another name that gRPC resolves, such as
            ``dns:///ranker:8500``.
        spec: The feature spec that the model was trained with.
        model_name: The model's name on the server. Defaults to the spec's.
        label: The label of the version to ask, such as ``canary``. Defaults to the newest version.
        version: The number of the version to ask, in place of a label.
        timeout_ms: Milliseconds after which a call is given up, with all its parts and retries,
            unless the call says otherwise.
        channels: Connections to the server, used in turn.
        tls: Encryption. Defaults to none.
        retries: The policy by which a failed attempt is made again.
        hedging: The policy by which a slow attempt gets a second one beside it, on another channel.
            Defaults to none.
        max_candidates: The largest number of candidates in one message. A longer request is sent in
            parts, side by side; one version answers them all, and the answers are merged. Defaults
            to no limit.
        request_log: The log for a sample of the requests and their answers. The caller closes it,
            after its clients.
        histories: The store of the fields that the spec's histories become. Fields that a request
            gives win. A store that is down, slow or stale fails no ranking: the request goes on
            without histories. The caller closes it, after its clients.
        history_policy: How long to wait for histories, and how old they may be.
        tables: Side tables that fill in the fields of users and items that a request only names.

    Raises:
        ValueError: A setting is out of range.
        TlsError: A file of the TLS settings cannot be used.
    """

    def __init__(
        self,
        target: str,
        spec: FeatureSpec,
        *,
        model_name: str | None = None,
        label: str | None = None,
        version: int | None = None,
        timeout_ms: float = 1000.0,
        channels: int = 2,
        tls: Tls | None = None,
        retries: RetryPolicy | None = None,
        hedging: HedgingPolicy | None = None,
        max_candidates: int | None = None,
        request_log: RequestLog | None = None,
        histories: HistoryStore | None = None,
        history_policy: HistoryPolicy | None = None,
        tables: SideTables | None = None,
    ) -> None:
        least_channels = 1 if hedging is None else 2
        if channels < least_channels:
            reason = " with hedging, which needs another channel" if hedging else ""
            raise ValueError(
                f"channels must be at least {least_channels}{reason}; received {channels!r}"
            )
        if max_candidates is not None and max_candidates < 1:
            raise ValueError(f"max_candidates must be at least 1; received {max_candidates!r}")
        if label is not None and version is not None:
            raise ValueError(
                f"give a label or a version, not both; received {label!r} and {version!r}"
            )
        if histories is not None and spec.histories is None:
            raise ValueError(f"histories: spec {spec.name} has none to fill in")
        self.target = target
        self.spec = spec
        self.model_name = model_name or spec.name
        self._model_spec: dict[str, Any] = {"name": self.model_name}
        if label:
            self._model_spec["version_label"] = label
        if version is not None:
            self._model_spec["version"] = {"value": version}
        self._timeout_ms = positive_ms("timeout_ms", timeout_ms)
        self._channel_count = channels
        self._credentials = tls.credentials() if tls else None
        self._channel_options = tls.channel_options if tls else []
        self._policy = CallPolicy(ChannelRotation(channels), retries or RetryPolicy(), hedging)
        self._max_candidates = max_candidates
        self._tables = tables
        self._request_log = request_log
        self._filling = (
            HistoryFilling(histories, history_policy or HistoryPolicy())
            if histories is not None
            else None
        )
        self._process = os.getpid()
        # A model of an earlier version knows the spec by another fingerprint.
        self._fingerprint = spec.fingerprint
        # What `check` learns of the training.
        self._left_out: LeftOutFields | None = None
        self._connect()

    @property
    def counts(self) -> CallCounts:
        """Calls, retries and hedges so far."""
        return self._policy.counts

    @property
    def history_counts(self) -> HistoryCounts:
        """Requests with and without their histories so far; none without a history store."""
        return self._filling.counts if self._filling is not None else HistoryCounts()

    def _connect(self) -> None:
        """Make the transport."""
        raise NotImplementedError

    def _channel_pool(self, library: Any) -> ChannelPool:
        """Return channels of ``grpc`` or ``grpc.aio``."""
        return ChannelPool(
            library,
            self.target,
            count=self._channel_count,
            credentials=self._credentials,
            options=self._channel_options,
        )

    def _filled(self, request: RankingRequest) -> RankingRequest:
        """Return a request with what the side tables know of its users and items."""
        return request if self._tables is None else self._tables.filled(request)

    def _rank_steps(
        self,
        request: RankingRequest,
        filled: RankingRequest,
        call: Call,
        histories: HistoryValues | None,
    ) -> Steps[RankedList]:
        """Rank the candidates of a request by the fields of `filled`.

        The answer has the caller's candidates.
        """
        if self._left_out is not None:
            self._left_out.look_at(filled, histories)
        inputs = request_tensors(self.spec, filled, histories)
        sizes = part_sizes(len(request.candidates), self._max_candidates)

        def payloads_for(fingerprint: str) -> list[bytes]:
            named = inputs | {SPEC_FINGERPRINT: text_tensor([fingerprint.encode()], [])}
            parts = part_inputs(named, self.spec.served.fields_of("item"), sizes)
            return [self._payload(part) for part in parts]

        sent = self._fingerprint
        payloads = payloads_for(sent)
        try:
            responses = yield from answers_of_one_version(
                call, payloads, target=self.target, model=self.model_name
            )
        except RequestRefusedError as error:
            wanted = self._own_fingerprint_in(error.text, sent)
            if wanted is None:
                mismatch = yield from self._mismatch_behind(error, call, sent)
                if mismatch is not None:
                    raise mismatch from error
                raise
            self._fingerprint = wanted
            payloads = payloads_for(wanted)
            responses = yield from answers_of_one_version(
                call, payloads, target=self.target, model=self.model_name
            )
        ranked = replace(ranked_list(self.spec, request, responses, sizes), histories=histories)
        if self._request_log is not None:
            self._request_log.offer(request.id, payloads, responses)
        return ranked

    def _check_steps(self, timeout_ms: float | None) -> Steps[ServedModelInfo]:
        call = self._call(timeout_ms)
        served, signatures = yield from self._served_model(call)
        if self._left_out is None and FIELD_PRESENCE in signatures:
            self._left_out = LeftOutFields(
                (yield from self._presence(call)),
                sides_to_give(self.spec),
            )
        return served

    def _presence(self, call: Call) -> Steps[dict[str, float]]:
        """Ask for the share of training examples with a value, by field; nothing on an error."""
        message = tf_serving_api.PredictRequest(
            model_spec={**self._model_spec, "signature_name": FIELD_PRESENCE}
        )
        try:
            (answer,) = yield from call.answers(
                tf_serving_api.PREDICT, [message.SerializeToString()]
            )
            fields = [text.decode() for text in answer.outputs[FIELD].string_val]
            return dict(zip(fields, floats(answer.outputs[PRESENT_SHARE]), strict=True))
        except (RankingError, ValueError):
            return {}  # it is good for a warning only

    def _call(self, timeout_ms: float | None) -> Call:
        if os.getpid() != self._process:
            raise RuntimeError(
                f"this client was made in process {self._process} and does not work in its fork "
                f"{os.getpid()}, because gRPC's "
                "threads and connections do not survive a fork; make a client in each process, "
                "after the fork"
            )
        deadline = Deadline(self._timeout_ms if timeout_ms is None else timeout_ms)

        def error_of(error: grpc.RpcError, attempts: int) -> ServerError:
            return server_error(
                error,
                target=self.target,
                model=self.model_name,
                timeout_ms=deadline.timeout_ms,
                attempts=attempts,
            )

        return Call(self._policy, deadline, error_of)

    def _payload(self, inputs: Any) -> bytes:
        message = tf_serving_api.PredictRequest(
            model_spec={**self._model_spec, "signature_name": RANK}
        )
        for name, tensor in inputs.items():
            message.inputs[name].CopyFrom(tensor)
        return message.SerializeToString()

    def _served_model(self, call: Call) -> Steps[tuple[ServedModelInfo, Collection[str]]]:
        """Ask for the signatures; return what is said of the model, and their names."""
        request = tf_serving_api.GetModelMetadataRequest(
            metadata_field=["signature_def"], model_spec=self._model_spec
        )
        (response,) = yield from call.answers(
            tf_serving_api.GET_MODEL_METADATA, [request.SerializeToString()]
        )
        signatures = tf_serving_api.SignatureDefMap()
        response.metadata["signature_def"].Unpack(signatures)
        version = response.model_spec.version.value
        defaults = signatures.signature_def[RANK].defaults
        if SPEC_FINGERPRINT not in defaults:
            raise UnusableModelError(
                f"{self.target}: model {self.model_name} version {version} has no signature "
                f"{RANK!r} with a default for "
                f"{SPEC_FINGERPRINT!r}; was it exported by Fulcrum?"
            )
        fingerprint = defaults[SPEC_FINGERPRINT].string_val[0].decode()
        if fingerprint not in self._own_fingerprints:
            signature = signatures.signature_def[RANK]
            found = differences_in_names(self.spec, signature.inputs, signature.outputs)
            if not found:
                found = yield from self._differences_in_a_refusal(call)
            raise self._mismatch(fingerprint, found)
        self._fingerprint = fingerprint
        own = weights_in_force(self.spec.ranking_formula, self.spec.tasks)
        served = {
            name: floats(defaults[weight_name(name)])[0]
            for name in own
            if weight_name(name) in defaults
        }
        info = ServedModelInfo(name=self.model_name, version=version, weights=served)
        return info, set(signatures.signature_def)

    @property
    def _own_fingerprints(self) -> tuple[str, str]:
        return self.spec.fingerprint, self.spec.earlier_fingerprint

    def _own_fingerprint_in(self, text: str, sent: str) -> str | None:
        """Return the other fingerprint of the client's spec, if a model says that it knows it."""
        others = _others(text, sent)
        return others[0] if others and others[0] in self._own_fingerprints else None

    def _mismatch_behind(
        self, error: RequestRefusedError, call: Call, sent: str
    ) -> Steps[SpecMismatchError | None]:
        """Look for a spec mismatch behind a refused request.

        The model's graph may have named both fingerprints, or an input may not exist.
        """
        others = _others(error.text, sent)
        found = differences(self.spec, error.text)
        if others and found:
            return self._mismatch(others[0], found)
        try:
            yield from self._served_model(call)
        except SpecMismatchError as mismatch:
            return mismatch
        except RankingError:
            pass  # the first error says more
        return self._mismatch(others[0]) if others else None

    def _differences_in_a_refusal(self, call: Call) -> Steps[list[str]]:
        """Make the model refuse a request of missing values, to read what it says of its spec."""
        nothing = RankingRequest(candidates=[Candidate(fields={})])
        payload = self._payload(request_tensors(self.spec, nothing))
        try:
            yield from call.answers(tf_serving_api.PREDICT, [payload])
        except RequestRefusedError as error:
            return differences(self.spec, error.text)
        except RankingError:
            pass  # that the fingerprints differ is known anyway
        return []

    def _mismatch(self, model_fingerprint: str, found: Sequence[str] = ()) -> SpecMismatchError:
        return SpecMismatchError(
            self.spec.fingerprint,
            model_fingerprint,
            target=self.target,
            model=self.model_name,
            differences=found,
        )


def _others(text: str, sent: str) -> list[str]:
    """Return the fingerprints in the text of a refusal beside the one that was sent."""
    if sent not in text:
        return []
    return [found for found in _FINGERPRINT.findall(text) if found != sent]
