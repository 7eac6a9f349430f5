"""The requests of a load test: made up from a feature spec, and encoded before the load begins.

The spec knows kinds, bounds and lengths, but not the vocabularies, so most texts are out of a
trained model's vocabulary. Looking them up costs the same; their scores mean nothing. A few values
are missing, as in logs. The same seed gives the same requests.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Iterator
from itertools import cycle, islice

from feature_spec.fields.field import (
    BaseField,
    EmbeddedField,
    MultiCategoricalField,
    NumericField,
    SequenceField,
    VectorField,
)
from feature_spec.names import RANK, SPEC_FINGERPRINT
from feature_spec.spec import FeatureSpec
from serving import tf_serving_api
from serving.client.request_tensors import request_tensors
from serving.client.tensor_values import text_tensor
from serving.client.types import Candidate, FieldValue, RankingRequest
from serving.loadtest.load_histories import random_histories

_MISSING_SHARE = 0.03
_DISTINCT_TEXTS = 10_000


def random_requests(
    spec: FeatureSpec, users: int, candidate_counts: list[int], seed: int
) -> Iterator[RankingRequest]:
    """Yield a request for each of `users` users.

    Args:
        spec: The feature spec, which names the fields.
        users: The number of requests, each with a user, a context and candidates of its own.
        candidate_counts: The numbers of candidates of the requests, used in turn.
        seed: The seed of all values.
    """
    for user, count in enumerate(islice(cycle(candidate_counts), users)):
        draw = random.Random(f"{seed}/{user}")
        yield RankingRequest(
            user=_row(spec, "user", draw),
            context=_row(spec, "context", draw),
            candidates=[Candidate(fields=_row(spec, "item", draw)) for _ in range(count)],
        )


def _row(spec: FeatureSpec, side: str, draw: random.Random) -> dict[str, FieldValue]:
    row = {
        name: _value(spec, name, field, draw)
        for name, field in spec.fields_of(side).items()
        if field.history is None
    }

    def text(name: str) -> str:
        return _text(name, spec.fields[name], draw)

    for name, field in spec.fields_of(side).items():
        if isinstance(field, VectorField) and field.weights_of is not None:
            values = row.get(field.weights_of)
            row[name] = [draw.random() for _ in values] if isinstance(values, list) else None
    return row | random_histories(spec, side, text, _MISSING_SHARE, draw)


def _value(spec: FeatureSpec, name: str, field: BaseField, draw: random.Random) -> FieldValue:
    if draw.random() < _MISSING_SHARE:
        return None
    if isinstance(field, NumericField):
        return _number(field, draw)
    if isinstance(field, VectorField):
        return [draw.gauss(0.0, 1.0) for _ in range(field.dimension)]
    if isinstance(field, SequenceField):
        shared = spec.fields[field.shares]
        return [_text(field.shares, shared, draw) for _ in range(draw.randint(1, field.max_length))]
    if isinstance(field, MultiCategoricalField):
        return [_text(name, field, draw) for _ in range(draw.randint(1, field.max_length))]
    return _text(name, field, draw)


def _text(name: str, field: BaseField, draw: random.Random) -> str:
    """Draw a text; a few texts are frequent and most are rare, as in logs.

    Each power of ten of the texts' numbers is as likely as another.
    """
    distinct = (
        field.hash_buckets
        if isinstance(field, EmbeddedField) and field.hash_buckets
        else _DISTINCT_TEXTS
    )
    return f"{name}_{int(distinct ** draw.random())}"


def _number(field: NumericField, draw: random.Random) -> float:
    """Draw a number: evenly within two bounds, else with a long tail from a bound or zero."""
    if field.minimum is not None and field.maximum is not None:
        return draw.uniform(field.minimum, field.maximum)
    distance = draw.lognormvariate(math.log(10.0), 1.0)
    if field.minimum is not None:
        return field.minimum + distance
    if field.maximum is not None:
        return field.maximum - distance
    return math.copysign(distance, draw.random() - 0.5)


def encoded_requests(
    spec: FeatureSpec,
    requests: Iterable[RankingRequest],
    *,
    model_name: str,
    label: str | None = None,
    fingerprint: str | None = None,
) -> list[bytes]:
    """Return a serialized PredictRequest for the `rank` signature for each request.

    Args:
        spec: The feature spec of the requests and of the model.
        requests: The requests.
        model_name: The model's name on the server.
        label: A version label, such as ``canary``. Without one, the server's latest version
            answers.
        fingerprint: The spec's fingerprint as the model knows it; None for the spec's own.

    Raises:
        InvalidRequestError: A request does not fit the spec.
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
        if fingerprint is not None:
            message.inputs[SPEC_FINGERPRINT].CopyFrom(text_tensor([fingerprint.encode()], []))
        encoded.append(message.SerializeToString())
    return encoded
