"""Classify, Regress and MultiInference over gRPC, on the model of `examples_export`."""

from __future__ import annotations

import grpc
import pytest

pytestmark = pytest.mark.tensorflow

CLASSIFY, REGRESS = "tensorflow/serving/classify", "tensorflow/serving/regress"


@pytest.fixture(scope="module")
def send(tmp_path_factory, examples_export):
    """Sends a request, given in text form, to a server of the model `xs`, version 1."""
    from google.protobuf import text_format
    from tensorflow_serving.apis.prediction_service_pb2_grpc import PredictionServiceStub

    from serving.model_server.server import LocalModelServer
    from serving.model_server.versions.served_model import ServedModel
    from tests.serving.model_server.api_methods import types_of

    root = tmp_path_factory.mktemp("xs")
    (root / "1").symlink_to(examples_export)
    with (
        LocalModelServer([ServedModel(root, name="xs")], port=0) as server,
        grpc.insecure_channel(server.target) as channel,
    ):
        stub = PredictionServiceStub(channel)
        yield lambda method, text: getattr(stub, method)(
            text_format.Parse(text, types_of(method)[0]()), timeout=600.0
        )


def refused(send, method, text):
    with pytest.raises(grpc.RpcError) as refusal:
        send(method, text)
    return refusal.value.code().name, refusal.value.details()


def spec(signature="", name="xs"):
    return f'model_spec {{ name: "{name}" signature_name: "{signature}" }}'


def example(x):
    return f'{{ features {{ feature {{ key: "x" value {{ float_list {{ value: {x} }} }} }} }} }}'


def examples(*xs):
    return f"input {{ example_list {{ {' '.join('examples ' + example(x) for x in xs)} }} }}"


def task(signature, method, name="xs"):
    return f'tasks {{ {spec(signature, name)} method_name: "{method}" }}'


def classified(result):
    return [[(entry.label, entry.score) for entry in row.classes] for row in result.classifications]


def test_classify_pairs_labels_and_scores_of_each_example(send):
    response = send("Classify", spec() + examples(1.5, 3.0))
    assert classified(response.result) == [
        [("up", 1.5), ("down", 3.0)],
        [("up", 3.0), ("down", 6.0)],
    ]
    assert (response.model_spec.name, response.model_spec.version.value) == ("xs", 1)
    assert response.model_spec.signature_name == "serving_default"


def test_classify_leaves_out_what_the_signature_does_not_give(send):
    assert classified(send("Classify", spec("scores") + examples(1.0)).result) == [
        [("", 1.0), ("", 2.0)]
    ]
    assert classified(send("Classify", spec("classes") + examples(1.0)).result) == [
        [("up", 0.0), ("down", 0.0)]
    ]


def test_regress_gives_a_number_for_each_example(send):
    response = send("Regress", spec("next") + examples(1.5, 3.0))
    assert [regression.value for regression in response.result.regressions] == [2.5, 4.0]
    assert response.model_spec.signature_name == "next"


def test_examples_without_a_feature_take_it_from_their_context(send):
    context = f"input {{ example_list_with_context {{ context {example(7.0)} examples {{}} examples {example(2.0)} }} }}"
    response = send("Regress", spec("next") + context)
    assert [regression.value for regression in response.result.regressions] == [8.0, 3.0]


def test_multi_inference_answers_each_task_in_order(send):
    tasks = task("next", REGRESS) + task("", CLASSIFY)
    regression, classification = send("MultiInference", tasks + examples(2.0)).results
    assert [row.value for row in regression.regression_result.regressions] == [3.0]
    assert classified(classification.classification_result) == [[("up", 2.0), ("down", 4.0)]]
    assert [result.model_spec.signature_name for result in (regression, classification)] == [
        "next",
        "serving_default",
    ]


INVALID = "INVALID_ARGUMENT"


@pytest.mark.parametrize(
    ("method", "request_text", "code", "text"),
    [
        ("Classify", "", INVALID, "Missing ModelSpec"),
        ("Classify", spec(name="nope"), "NOT_FOUND", "Servable not found for request: Latest(nope)"),
        ("Classify", spec("nosig"), INVALID, "No signature was found with the name: nosig"),
        ("Classify", spec("three"), INVALID, "Expected one or two output Tensors, found 3"),
        ("Classify", spec("renamed"), INVALID, "No classification inputs found in SignatureDef: goo.gle/debugonly  \ninputs"),
        ("Classify", spec(), INVALID, "Input is empty."),
        ("Classify", spec() + "input { example_list {} }", INVALID, "Input is empty."),
        ("Classify", spec("flat_scores"), INVALID, "Expected Tensor shape: [batch_size num_classes] but got [2]"),
        ("Classify", spec("texts_as_scores"), INVALID, "Expected scores Tensor of type DT_FLOAT. Got: DT_STRING"),
        ("Classify", spec("first_row"), INVALID, "Expected scores output batch size of 2. Got: 1"),
        ("Classify", spec("narrow_scores"), INVALID, "Tensors class and score should match in dim_size(1). Got 2 vs. 1"),
        ("Regress", "", INVALID, "Missing ModelSpec"),
        ("Regress", spec(), INVALID, "Expected one output Tensor."),
        ("Regress", spec("renamed"), INVALID, "No regression inputs found in SignatureDef: goo.gle/debugonly  \ninputs"),
        ("Regress", spec("scores"), INVALID, "No regression outputs found in SignatureDef: goo.gle/debugonly  \ninputs"),
        ("Regress", spec("next"), INVALID, "Input is empty."),
        (
            "Regress", spec("wide"), INVALID,
            "Expected output Tensor shape to be either [batch_size] or [batch_size, 1] but got [2,2]",
        ),
        ("Regress", spec("first"), INVALID, "Input batch size did not match output batch size: 2 vs. 1"),
        ("Regress", spec("text"), INVALID, "Expected output Tensor of DT_FLOAT."),
        ("Regress", spec("from_number"), INVALID, "Expects arg[0] to be float but string is provided"),
        ("MultiInference", "", INVALID, "ModelSpec has no name specified."),
        (
            "MultiInference", task("next", REGRESS) + task("", CLASSIFY, name="other"), INVALID,
            "All ModelSpecs in a MultiInferenceRequest must access the same model name.",
        ),
        ("MultiInference", task("next", REGRESS) * 2, INVALID, "Duplicate evaluation of signature: next"),
        (
            "MultiInference", task("next", REGRESS) + task("from_other", REGRESS), INVALID,
            "Input tensor must be the same for all Signatures.",
        ),
        ("MultiInference", task("next", "x"), "UNIMPLEMENTED", "Unsupported signature method_name: x"),
        ("MultiInference", task("next", REGRESS), INVALID, "Input is empty."),
    ],
)  # fmt: skip
def test_refusals_have_tensorflow_servings_code_and_text(send, method, request_text, code, text):
    sends_examples = not any(end in text for end in ("empty.", "Missing"))
    received = refused(send, method, request_text + (examples(1.0, 2.0) if sends_examples else ""))
    assert received[0] == code
    assert received[1].startswith(text)
