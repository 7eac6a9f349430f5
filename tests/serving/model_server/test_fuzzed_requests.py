"""Requests that nobody would write: each is answered, none as a defect of the server, and good ones still work.

A few hundred are sent in every run; `pytest tests/serving/model_server/test_fuzzed_requests.py
--hypothesis-profile=thorough` sends 20,000, and `--hypothesis-show-statistics` shows how they were
answered.
"""

from __future__ import annotations

import grpc
import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

pytestmark = [pytest.mark.slow, pytest.mark.tensorflow]

_EXAMPLES = max(settings().max_examples, 300)
_CODES = {
    "OK", "INVALID_ARGUMENT", "NOT_FOUND", "FAILED_PRECONDITION", "OUT_OF_RANGE", "UNIMPLEMENTED", "RESOURCE_EXHAUSTED",
}  # fmt: skip
_SIZES = [-(2**63), -1, 0, 1, 2, 3, 255, 2**16, 2**24, 2**31 - 1, 2**31, 2**40, 2**62, 2**63 - 1]
_NUMBERS = [float("nan"), float("inf"), float("-inf"), 0.0, -0.0, 1.0, -1.0, 1e-45, 3.4e38]
_TEXTS = [
    "",
    "toy",
    "xs",
    "x",
    "weight",
    "rank",
    "next",
    "serving_default",
    "quality",
    "signature_def",
    "nope",
    "\x00",
    "é" * 300,
]
_BYTES = [
    b"",
    b"x",
    b"\xff\xfe",
    b"\x00" * 9,
    b"\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01",
    b"a" * 5000,
]


def tensor(dtype, shape, values):
    sizes = " ".join(f"dim {{ size: {size} }}" for size in shape)
    return f"{{ dtype: {dtype} tensor_shape {{ {sizes} }} {values} }}"


def inputs(**tensors):
    return " ".join(f'inputs {{ key: "{name}" value {value} }}' for name, value in tensors.items())


def spec(signature, name="toy"):
    return f'model_spec {{ name: "{name}" signature_name: "{signature}" }}'


_DOUBLED = spec("") + inputs(
    x=tensor("DT_FLOAT", [2], "float_val: [1.0, 3.0]"),
    weight=tensor("DT_FLOAT", [], "float_val: 2.0"),
)
_RANK = spec("rank") + inputs(
    user_id=tensor("DT_STRING", [1], 'string_val: "fan"'),
    activity=tensor("DT_FLOAT", [1], "float_val: 0.5"),
    recent_videos=tensor("DT_STRING", [1, 2], 'string_val: ["v1", "v2"]'),
    hour=tensor("DT_STRING", [1], 'string_val: "8"'),
    video_id=tensor("DT_STRING", [3], 'string_val: "v"'),
    tags=tensor("DT_STRING", [3, 2], 'string_val: "music"'),
    quality=tensor("DT_FLOAT", [3], "float_val: 0.5"),
    duration_s=tensor("DT_FLOAT", [3], "float_val: 10.0"),
)
_EXAMPLE = "input { example_list { examples { features { feature { key: 'x' value { float_list { value: 1.0 } } } } } } }"
_IN_CONTEXT = "input { example_list_with_context { examples {} examples {} context {} } }"
_RELOAD = "config { model_config_list { config { name: 'toy' base_path: '/ROOT' model_platform: 'tensorflow' } } }"
_GOOD = [
    *[("Predict", _DOUBLED), ("Predict", _RANK)] * 3, ("Classify", spec("", "xs") + _EXAMPLE),
    ("Classify", spec("scores", "xs") + _IN_CONTEXT), ("Regress", spec("next", "xs") + _EXAMPLE),
    ("MultiInference", f"tasks {{ {spec('', 'xs')} method_name: 'tensorflow/serving/classify' }} {_EXAMPLE}"),
    ("GetModelMetadata", spec("") + "metadata_field: 'signature_def'"), ("GetModelStatus", spec("")),
]  # fmt: skip


@pytest.fixture(scope="module")
def root(tmp_path_factory, toy_exports, examples_export):
    root = tmp_path_factory.mktemp("fuzzed")
    for name, folder in (("toy", toy_exports(1)), ("xs", examples_export)):
        (root / name).mkdir()
        (root / name / "1").symlink_to(folder)
    return root


@pytest.fixture(scope="module")
def channel(root):
    with serving(root) as server, grpc.insecure_channel(server.target) as channel:
        yield channel


@pytest.fixture(scope="module")
def reloaded_channel(root):
    """To a server of its own, because a configuration that is taken over may take the model out of service."""
    with serving(root) as server, grpc.insecure_channel(server.target) as channel:
        yield channel


def serving(root):
    from serving.model_server.server import LocalModelServer
    from serving.model_server.versions.served_model import ServedModel

    models = [ServedModel(root / name, name=name) for name in ("toy", "xs")]
    return LocalModelServer(models, port=0, max_candidates=10_000)


@st.composite
def broken(draw, method, text):
    """A good request with some of its fields, or of its bytes, changed."""
    from google.protobuf import text_format

    request = text_format.Parse(text, empty_request(method))
    for _ in range(draw(st.integers(0, 3))):
        mutate(draw, request)
    message = bytearray(request.SerializeToString())
    if draw(st.integers(0, 4)) == 0 and message:
        place = draw(st.integers(0, len(message) - 1))
        message[place : place + draw(st.integers(0, 3))] = draw(st.binary(max_size=6))
    return method, bytes(message)


def mutate(draw, message):
    """Changes one field of a message, or of one inside it."""
    fields = message.DESCRIPTOR.fields
    if not fields:
        return
    present = [field for field, _ in message.ListFields()]
    field = draw(st.sampled_from(present if present and draw(st.integers(0, 3)) else list(fields)))
    container = getattr(message, field.name)
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        mutate_map(draw, container, field.message_type.fields_by_name["value"])
    elif field.is_repeated:
        mutate_list(draw, container, field)
    elif field.message_type is None:
        setattr(message, field.name, draw(value_of(field)))
    elif draw(st.integers(0, 5)) == 0:
        message.ClearField(field.name)
    else:
        container.SetInParent()
        mutate(draw, container)


def mutate_map(draw, entries, value):
    if entries and draw(st.integers(0, 4)) == 0:
        del entries[draw(st.sampled_from(sorted(entries)))]
    elif value.message_type is not None:
        known = sorted(entries)
        mutate(
            draw, entries[draw(st.sampled_from(known if known and draw(st.booleans()) else _TEXTS))]
        )
    else:
        entries[draw(st.sampled_from(_TEXTS))] = draw(value_of(value))


def mutate_list(draw, items, field):
    choice = draw(st.integers(0, 3))
    if choice == 0:
        del items[:]
    elif field.message_type is not None:
        mutate(
            draw,
            items[draw(st.integers(0, len(items) - 1))]
            if len(items) and choice < 3
            else items.add(),
        )
    elif len(items) and choice == 1:
        items[draw(st.integers(0, len(items) - 1))] = draw(value_of(field))
    else:
        items.extend([draw(value_of(field))] * draw(st.sampled_from([1, 2, 300])))


def value_of(field):
    kind = field.cpp_type
    if kind in (field.CPPTYPE_DOUBLE, field.CPPTYPE_FLOAT):
        return st.sampled_from(_NUMBERS)
    if kind == field.CPPTYPE_BOOL:
        return st.booleans()
    if kind == field.CPPTYPE_STRING:
        return st.sampled_from(_BYTES if field.type == field.TYPE_BYTES else _TEXTS)
    if kind == field.CPPTYPE_ENUM:
        return st.one_of(st.integers(0, 25), st.sampled_from([101, 126, 2**31 - 1]))
    unsigned = kind in (field.CPPTYPE_UINT32, field.CPPTYPE_UINT64)
    bits = (32 if kind in (field.CPPTYPE_INT32, field.CPPTYPE_UINT32) else 64) - (not unsigned)
    return st.sampled_from(
        [size for size in _SIZES if (0 if unsigned else -(2**bits)) <= size < 2**bits]
    )


def send(channel, method, message):
    """The code of the answer, and its text or bytes."""
    service = (
        "ModelService"
        if method in ("GetModelStatus", "HandleReloadConfigRequest")
        else "PredictionService"
    )
    call = channel.unary_unary(f"/tensorflow.serving.{service}/{method}")
    try:
        return "OK", call(message, timeout=600.0)
    except grpc.RpcError as error:
        return error.code().name, error.details()


def empty_request(method):
    from tests.serving.model_server.api_methods import types_of  # not sooner: it imports TensorFlow

    return types_of(method)[0]()


def assert_a_good_request_is_answered(channel):
    from google.protobuf import text_format
    from tensorflow_serving.apis.predict_pb2 import PredictResponse

    request = text_format.Parse(_DOUBLED, empty_request("Predict"))
    code, answer = send(channel, "Predict", request.SerializeToString())
    assert code == "OK", answer
    # x · weight · version
    assert list(PredictResponse.FromString(answer).outputs["product"].float_val) == [2.0, 6.0]


@settings(max_examples=_EXAMPLES)
@given(data=st.data())
def test_no_request_is_answered_as_a_defect_and_good_ones_still_work(channel, data):
    method, message = data.draw(broken(*_GOOD[data.draw(st.integers(0, len(_GOOD) - 1))]))
    code, answer = send(channel, method, message)
    event(f"{method} {code}")
    assert code in _CODES, answer
    assert_a_good_request_is_answered(channel)


@settings(max_examples=_EXAMPLES // 10)
@given(data=st.data())
def test_no_configuration_is_answered_as_a_defect_and_a_good_one_still_works(
    reloaded_channel, root, data
):
    good = _RELOAD.replace("/ROOT", str(root / "toy"))
    method, message = data.draw(broken("HandleReloadConfigRequest", good))
    code, answer = send(reloaded_channel, method, message)
    event(f"{method} {code}")
    assert code in _CODES, answer
    if data.draw(st.integers(0, 9)) == 0:
        from google.protobuf import text_format

        request = text_format.Parse(good, empty_request(method))
        assert send(reloaded_channel, method, request.SerializeToString())[0] == "OK"
        assert_a_good_request_is_answered(reloaded_channel)
