"""Requests made from logged examples, as a client would send them, and the warm-up file of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import TypeAlias

import tensorflow as tf
from tensorflow.core.framework.tensor_pb2 import TensorProto
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel
from tensorflow_serving.apis.predict_pb2 import PredictRequest
from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog, PredictLog

from feature_spec.fields.field import (
    BaseField,
    MultiCategoricalField,
    NumericField,
    SequenceField,
    VectorField,
)
from feature_spec.names import RANK, SPEC_FINGERPRINT, TOP_K
from feature_spec.spec import FeatureSpec
from serving.model_server.methods.warm_up import WARM_UP_FILE

Example: TypeAlias = tf.train.Example


def examples_request(
    spec: FeatureSpec, signature: str, examples: Sequence[Example]
) -> PredictRequest:
    """Make a request to a signature that reads serialized tf.Examples (B,)."""
    request = _request(spec, signature)
    request.inputs["examples"].CopyFrom(
        tf.make_tensor_proto([example.SerializeToString() for example in examples])
    )
    return request


def known_fingerprint(spec: FeatureSpec, version: Path) -> str:
    """Return the fingerprint by which an exported model knows its spec.

    A model that an earlier version exported has made it in another way.
    """
    file = version / "saved_model.pb"
    if not file.exists():
        return spec.fingerprint
    proto = SavedModel.FromString(file.read_bytes())
    defaults = proto.meta_graphs[0].signature_def[RANK].defaults
    known = [value.decode() for value in defaults[SPEC_FINGERPRINT].string_val]
    return spec.earlier_fingerprint if known == [spec.earlier_fingerprint] else spec.fingerprint


def rank_request(
    spec: FeatureSpec,
    signature: str,
    user: Example,
    items: Sequence[Example],
    fingerprint: str | None = None,
) -> PredictRequest:
    """Make a request to a signature that reads raw fields.

    Args:
        spec: the spec of the model.
        signature: the signature's name.
        user: an example with the fields of user and context.
        items: an example for each candidate, with the item's fields.
        fingerprint: see `known_fingerprint`; None for the spec's own.
    """
    request = _request(spec, signature)
    for name, field in spec.fields.items():
        rows = items if field.side == "item" else [user]
        request.inputs[name].CopyFrom(_tensor(field, [row.features.feature[name] for row in rows]))
    request.inputs[SPEC_FINGERPRINT].CopyFrom(tf.make_tensor_proto(fingerprint or spec.fingerprint))
    return request


def shown_to(spec: FeatureSpec, user: Example, item: Example) -> Example:
    """Merge user and context of one example with the item of another."""
    merged = Example()
    for name, field in spec.fields.items():
        logged = (item if field.side == "item" else user).features.feature
        if name in logged:
            merged.features.feature[name].CopyFrom(logged[name])
    return merged


def _request(spec: FeatureSpec, signature: str) -> PredictRequest:
    request = PredictRequest()
    request.model_spec.name = spec.name
    request.model_spec.signature_name = signature
    return request


def _tensor(field: BaseField, features: Sequence[tf.train.Feature]) -> TensorProto:
    """Return the raw values of a field, (R,), (R, d) or, padded with ``""``, (R, T)."""
    if isinstance(field, VectorField):
        missing = [float("nan")] * field.dimension
        vectors = [list(feature.float_list.value) or missing for feature in features]
        return tf.make_tensor_proto(vectors, tf.float32)
    if isinstance(field, NumericField):
        return tf.make_tensor_proto(
            [[*feature.float_list.value, float("nan")][0] for feature in features], tf.float32
        )
    texts = [list(feature.bytes_list.value) for feature in features]
    if isinstance(field, MultiCategoricalField | SequenceField):
        length = max(1, *map(len, texts))
        return tf.make_tensor_proto([row + [b""] * (length - len(row)) for row in texts], tf.string)
    return tf.make_tensor_proto([[*row, b""][0] for row in texts], tf.string)


# Signatures that read examples are not asked by users in a hurry: a few rows make their graph
# ready.
_EXAMPLES = 8
_TOP_K = 10


def write_warmup_file(
    spec: FeatureSpec,
    signatures: Mapping[str, AbstractSet[str]],
    examples: Sequence[Example],
    folder: Path,
) -> int:
    """Write the file into a version's folder, and return the number of its requests.

    Uncompressed TFRecord of PredictionLog, the same bytes for the same examples.

    Args:
        spec: The feature spec that the model was trained with.
        signatures: The names of each signature's inputs, by the signature's name.
        examples: Logged examples, used over again where a request has more candidates.
        folder: The folder of the version.

    Raises:
        ValueError: The model has a signature for which no request can be made of examples.
    """
    path = folder / WARM_UP_FILE
    path.parent.mkdir(exist_ok=True)
    fingerprint = known_fingerprint(spec, folder)
    requests = list(_requests(spec, signatures, examples, fingerprint))
    with tf.io.TFRecordWriter(str(path)) as writer:
        for request in requests:
            writer.write(
                PredictionLog(predict_log=PredictLog(request=request)).SerializeToString(
                    deterministic=True
                )
            )
    return len(requests)


def _requests(
    spec: FeatureSpec,
    signatures: Mapping[str, AbstractSet[str]],
    examples: Sequence[Example],
    fingerprint: str,
) -> Iterator[PredictRequest]:
    for name, inputs in sorted(signatures.items()):
        if not inputs:
            yield _request(spec, name)
        elif inputs == {"examples"}:
            yield examples_request(spec, name, examples[:_EXAMPLES])
        elif inputs >= spec.fields.keys():
            for count in spec.serving.candidate_counts:
                candidates = [examples[i % len(examples)] for i in range(count)]
                request = rank_request(spec, name, examples[0], candidates, fingerprint)
                if TOP_K in inputs:
                    request.inputs[TOP_K].CopyFrom(tf.make_tensor_proto(min(_TOP_K, count)))
                yield request
        else:
            raise ValueError(
                f"no warm-up request can be made for signature {name!r}, which reads "
                f"{', '.join(sorted(inputs))}"
            )
