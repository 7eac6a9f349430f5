"""What the served graph refuses, with the input's name, and what it takes as missing."""

from __future__ import annotations

import re

import numpy as np
import pytest

pytestmark = [pytest.mark.slow, pytest.mark.tensorflow]

NAN, INF = np.nan, np.inf
TASKS = ["t0", "t1"]
LOGITS = [[0.5, -1.0], [1.0, -2.0], [-0.5, 3.0]]


@pytest.fixture(scope="module", params=["plain", "xla"])
def served(request, tmp_path_factory):
    """The model as a server runs it, in a session that looks at no shape, and its spec."""
    import tensorflow as tf

    from serving.model_server.versions.saved_model import SavedModel
    from tests.trainer.export.given_logits import ranker, spec_of

    spec = spec_of(TASKS)
    folder = tmp_path_factory.mktemp(request.param)
    module = ranker(spec, xla=request.param == "xla")
    tf.saved_model.save(module, str(folder), signatures=module.signatures())
    return SavedModel(folder), spec


def sent(served, signature="rank", **changes):
    import tensorflow as tf

    from tests.trainer.export.given_logits import request

    model, spec = served
    inputs = request(spec, LOGITS, **changes)
    if signature == "rank_top_k":
        inputs = {"top_k": np.int32(2)} | inputs
    outputs = sorted(model.signatures[signature].outputs)
    protos = {name: tf.make_tensor_proto(value) for name, value in inputs.items()}
    return dict(zip(outputs, model.run(signature, protos, outputs, None), strict=True))


def refusal(served, signature="rank", **changes):
    from serving.model_server.status_error import StatusError

    with pytest.raises(StatusError) as refused:
        sent(served, signature, **changes)
    assert refused.value.code.name == "INVALID_ARGUMENT"
    return refused.value.text


def f32(*values):
    return np.array(values, np.float32)


@pytest.mark.parametrize("signature", ["rank", "rank_top_k"])
@pytest.mark.parametrize("value", [NAN, INF, -INF])
@pytest.mark.parametrize("name", ["weight_of_t0", "weight_of_t1", "weight_of_duration"])
def test_a_weight_that_is_no_finite_number_is_refused_by_name(served, signature, name, value):
    text = refusal(served, signature, **{name: np.float32(value)})
    assert f"input {name}: received " in text
    assert "valid: a finite number" in text


OUTSIDE = [
    ("activity", f32(-1.0), "received -1; valid: a number from 0 to "),
    ("activity", f32(INF), "received inf"),
    ("hour", f32(23.5), "received 23.5; valid: a number from 0 to 23, or NaN where missing"),
    ("hour", f32(-INF), "received -inf"),
    ("length_s", f32(1, 3601, 2), "length_s[1]: received 3601; valid: a number from 0 to 3600"),
    ("length_s", f32(1, 2, -1e-6), "length_s[2]: received -1e-06"),
    ("length_s", f32(INF, 1, NAN), "length_s[0]: received inf"),
    ("logit_t1", f32(0, 0, INF), "logit_t1[2]: received inf"),
]  # fmt: skip


@pytest.mark.parametrize("signature", ["rank", "rank_top_k"])
@pytest.mark.parametrize(("name", "values", "text"), OUTSIDE)
def test_a_number_that_ingestion_rejects_is_refused_by_name(served, signature, name, values, text):
    found = refusal(served, signature, **{name: values})
    assert f"input {name}" in found
    assert text in found


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("activity", f32(0.0)),
        ("activity", f32(3e38)),
        ("activity", f32(NAN)),
        ("hour", f32(23.0)),
        ("length_s", f32(0.0, 3600.0, NAN)),
        ("weight_of_t0", np.float32(0.0)),
        ("weight_of_t0", np.float32(-3e38)),
    ],
)
def test_missing_numbers_and_the_bounds_themselves_are_valid(served, name, values):
    for output in sent(served, **{name: values}).values():
        assert np.isfinite(output).all()


def texts(*shape):
    return np.full(shape, "i", object)


def zeros(*shape):
    return np.zeros(shape, np.float32)


SHAPES = [
    ("segment", texts(3), "received the shape [3]; valid: [1], one row"),
    ("segment", texts(), "received the shape []; valid: [1]"),
    ("segment", texts(1, 1), "received the shape [1, 1]; valid: [1]"),
    ("recent", texts(2), "received the shape [2]; valid: [1, length of the list], one row"),
    ("recent", texts(3, 2), "received the shape [3, 2]; valid: [1, length of the list]"),
    ("recent", texts(1, 2, 1), "received the shape [1, 2, 1]"),
    ("activity", zeros(2), "received the shape [2]; valid: [1]"),
    ("activity", zeros(0), "received the shape [0]; valid: [1]"),
    ("item", texts(2), "received the shape [2]; valid: [3], one row for each candidate"),
    ("item", texts(), "received the shape []; valid: [3]"),
    ("item", texts(0), "received the shape [0]; valid: [3]"),
    ("item", texts(3, 3), "received the shape [3, 3]; valid: [3]"),
    ("tags", texts(3), "received the shape [3]; valid: [3, length of the list]"),
    ("tags", texts(4, 2), "received the shape [4, 2]; valid: [3, length of the list]"),
    ("length_s", zeros(1), "received the shape [1]; valid: [3]"),
    ("logit_t1", zeros(3, 1), "received the shape [3, 1]; valid: [3]"),
    ("weight_of_t1", zeros(1), "received the shape [1]; valid: [], one value"),
    ("weight_of_duration", zeros(3), "received the shape [3]; valid: []"),
    ("spec_fingerprint", None, "received the shape [1]; valid: []"),
]  # fmt: skip


@pytest.mark.parametrize("signature", ["rank", "rank_top_k"])
@pytest.mark.parametrize(("name", "value", "text"), SHAPES)
def test_an_input_of_another_shape_is_refused_by_name(served, signature, name, value, text):
    value = [served[1].fingerprint] if value is None else value
    found = refusal(served, signature, **{name: value})
    assert f"input {name}: " in found
    assert text in found


def test_two_wrong_shapes_that_look_right_together_are_refused(served):
    """Their sizes one after the other are those of two right shapes."""
    found = refusal(served, item=texts(3, 3), logit_t0=zeros())
    assert re.search(r"input (item|logit_t0): received the shape \[(3, 3)?\]", found)


def test_the_number_of_rows_to_return_is_one_value(served):
    found = refusal(served, "rank_top_k", top_k=np.array([2], np.int32))
    assert "input top_k: received the shape [1]; valid: []" in found


def example(**numbers):
    import tensorflow as tf

    return tf.train.Example(
        features=tf.train.Features(
            feature={
                name: tf.train.Feature(float_list=tf.train.FloatList(value=[value]))
                for name, value in numbers.items()
            }
        )
    ).SerializeToString()


@pytest.mark.parametrize("value", [-1.0, INF, -INF, 3600.5, NAN])
def test_a_number_of_an_example_that_ingestion_rejects_is_missing(served, value):
    import tensorflow as tf

    model, _ = served
    logits = {"logit_t0": 0.5, "logit_t1": -1.0}
    rows = [example(**logits), example(**logits, length_s=value), example(**logits, length_s=90.0)]
    outputs = sorted(model.signatures["serving_default"].outputs)
    examples = {"examples": tf.make_tensor_proto(rows)}
    for array in model.run("serving_default", examples, outputs, None):
        assert np.isfinite(array).all()
        assert array[0] == array[1]


def test_bounds_are_rounded_as_the_numbers_are():
    """0.7 is below 0.7 in float32, and lies within its bounds all the same."""
    from feature_spec.fields.field import NumericField
    from trainer.export.request_checks import number_bounds

    field = NumericField(side="item", kind="numeric", minimum=0.7, maximum=1e300)
    assert number_bounds(field) == (np.float32(0.7), np.finfo(np.float32).max)


def test_a_request_whose_scores_overflow_is_refused_with_its_candidate():
    import tensorflow as tf

    from trainer.export.request_checks import checked_scores

    scores = {"a": tf.constant([0.5, 0.5, 0.5]), "b": tf.constant([1.0, 1.0, NAN])}
    with pytest.raises(
        tf.errors.InvalidArgumentError, match="candidate 2 of the request.*: b is no"
    ):
        tf.function(checked_scores)(scores)
    scores["b"] = tf.ones(3)
    assert tf.function(checked_scores)(scores).keys() == scores.keys()


def test_a_client_of_an_earlier_version_is_answered(served):
    spec = served[1]
    assert spec.earlier_fingerprint != spec.fingerprint
    answer = sent(served, spec_fingerprint=spec.earlier_fingerprint)
    np.testing.assert_array_equal(answer["t0"], sent(served)["t0"])


def test_a_request_for_another_spec_is_told_the_parts_of_the_models(served):
    found = refusal(served, spec_fingerprint="0123456789abcdef")
    assert "spec fingerprint mismatch" in found
    assert f"[model] [{served[1].fingerprint}]" in found
    for part, digest in served[1].part_digests.items():
        assert f"{part}={digest}" in found
