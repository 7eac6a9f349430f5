"""JSON values as tensors and tensors as JSON."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.tensorflow


def tensor(value, dtype):
    import tensorflow as tf

    from serving.model_server.rest.json_tensor import to_tensor

    return tf.make_ndarray(to_tensor(value, tf.dtypes.as_dtype(dtype).as_datatype_enum))


@pytest.mark.parametrize(
    ("value", "dtype", "expected"),
    [
        ([[1, 2.5], [3, 4]], "float32", [[1.0, 2.5], [3.0, 4.0]]),
        (1.5, "float64", 1.5),
        ([1e300, -1e300], "float32", [float("inf"), float("-inf")]),
        ([2**63 - 1], "int64", [2**63 - 1]),
        ([2**64 - 1], "uint64", [2**64 - 1]),
        ([300], "uint8", [44]),  # 300 = 256 + 44
        ([True, False], "bool", [True, False]),
        ([["é", {"b64": "/w=="}]], "string", [["é".encode(), b"\xff"]]),
        ({"b64": "/w"}, "string", b"\xff"),  # padding may be left out
        ([], "int32", []),
        ([[], []], "string", [[], []]),
    ],
)
def test_a_value_becomes_a_tensor(value, dtype, expected):
    received = tensor(value, dtype)
    assert (received.dtype == object) if dtype == "string" else (received.dtype == dtype)
    assert received.tolist() == expected


@pytest.mark.parametrize(
    ("value", "dtype", "code", "text"),
    [
        ([1.0], "int32", "INVALID_ARGUMENT", "JSON Value: 1.0 Type: Number is not of expected type: int32"),
        ([2**31], "int32", "INVALID_ARGUMENT", "JSON Value: 2147483648 Type: Number is not of expected type: int32"),
        ([-1], "uint32", "INVALID_ARGUMENT", "JSON Value: -1 Type: Number is not of expected type: uint32"),
        ([1, True], "int64", "INVALID_ARGUMENT", "JSON Value: true Type: True is not of expected type: int64"),
        ([None], "string", "INVALID_ARGUMENT", "JSON Value: null Type: Null is not of expected type: string"),
        (["a", {"b64": 1}], "string", "INVALID_ARGUMENT", 'JSON Value: {\n    "b64": 1\n} not formatted correctly for base64 data'),
        ([{"b64": "%"}], "string", "INVALID_ARGUMENT", "Unable to base64 decode"),
        ([{"b64": "aa"}], "float32", "INVALID_ARGUMENT", 'JSON Value: {\n    "b64": "aa"\n} Type: Object is not of expected type: float'),
        ([1.0], "half", "UNIMPLEMENTED", "Conversion of JSON Value: 1.0 to type: half"),
    ],
)  # fmt: skip
def test_a_value_of_another_type_is_refused(value, dtype, code, text):
    from serving.model_server.status_error import StatusError

    with pytest.raises(StatusError) as error:
        tensor(value, dtype)
    assert (error.value.code.name, error.value.text) == (code, text)


def test_whatever_is_refused_at_a_glance_has_a_mistake_and_nothing_else_has():
    import tensorflow as tf
    from hypothesis import given, settings
    from hypothesis import strategies as st

    from serving.model_server.rest.json_tensor import first_mistake, shape_of, to_tensor
    from serving.model_server.status_error import StatusError

    leaves = (
        st.none()
        | st.booleans()
        | st.integers(-(2**65), 2**65)
        | st.floats()
        | st.text(max_size=2)
        | st.just({"b64": "YQ"})
    )
    values = st.recursive(
        leaves,
        lambda inner: (
            st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=1), inner, max_size=1)
        ),
    )
    dtypes = st.sampled_from(
        [
            tf.float32,
            tf.float64,
            tf.half,
            tf.int8,
            tf.int32,
            tf.int64,
            tf.uint32,
            tf.uint64,
            tf.bool,
            tf.string,
        ]
    )

    @settings(max_examples=500)
    @given(values, dtypes)
    def check(value, dtype):
        mistake = first_mistake(value, shape_of(value), dtype.as_datatype_enum)
        if mistake is None:
            to_tensor(value, dtype.as_datatype_enum)
        else:
            with pytest.raises(StatusError) as error:
                to_tensor(value, dtype.as_datatype_enum)
            assert error.value.text == mistake.text

    check()


def answer(name, array):
    import tensorflow as tf

    from serving.model_server.methods.tensor_proto import to_proto
    from serving.model_server.rest.json_tensor import from_tensor
    from serving.model_server.rest.json_text import write

    array = tf.constant(array)
    return write(from_tensor(name, to_proto(array.numpy(), array.dtype.as_datatype_enum)))


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("score", [0.1, 3.0], b"[0.1,3.0]"),
        ("score", [[0.1, float("nan")]], b"[[0.1, NaN]]"),
        ("title", ["é", "null"], '["é", "null"]'.encode()),
        ("title", [b"\xff"], b'[{"b64":"/w=="}]'),
        ("image_bytes", ["a"], b'[{"b64":"YQ=="}]'),
        ("count", [1, 2], b"[1,2]"),
    ],
)
def test_a_tensor_becomes_json(name, value, text):
    assert answer(name, value) == text


def test_a_dtype_that_json_has_no_form_for_is_refused():
    import tensorflow as tf

    from serving.model_server.status_error import StatusError

    with pytest.raises(StatusError, match="Failed to write JSON value for tensor type: half"):
        answer("score", tf.constant([1.0], tf.half))


def test_a_long_value_is_shown_up_to_the_token_that_reaches_256_characters():
    from serving.model_server.rest.json_text import shown

    # "[1000, 1000, …": token n ends at 1 + 6 n − 2, which is 257 for n = 43.
    assert shown([1000] * 500) == "[" + ", ".join(["1000"] * 43)
