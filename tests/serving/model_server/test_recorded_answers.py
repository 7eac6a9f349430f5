"""Requests that TensorFlow Serving was sent, replayed: its codes, texts and numbers are this server's too."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import grpc
import pytest

_GROUPS = json.loads((Path(__file__).parent / "recorded" / "answers.json").read_text())

pytestmark = [pytest.mark.slow, pytest.mark.tensorflow]


def recorded(group):
    return [pytest.param(case, id=case["case"]) for case in _GROUPS[group]]


def case_of(group, name):
    return next(case for case in _GROUPS[group] if case["case"] == name)


@pytest.fixture(scope="module")
def models(recorded_models):
    return recorded_models


@pytest.fixture(scope="module")
def start(models, tmp_path_factory):
    """Starts a server of a configuration, in which /MODELS stands for the folder of the models; gives its target."""
    from serving.model_server.config.config_file import ConfigFile
    from serving.model_server.server import LocalModelServer

    started = []

    def start_server(config, labels_may_wait=False, **settings):
        file = tmp_path_factory.mktemp("config") / "models.config"
        file.write_text(config.replace("/MODELS", str(models)))
        server = LocalModelServer(
            [],
            port=0,
            poll_s=0.05,
            config_file=ConfigFile(file, labels_may_wait=labels_may_wait),
            **settings,
        )
        started.append(server)
        server.start()
        return server.target

    yield start_server
    for server in started:
        server.stop()


def config(policy="latest {}", more=""):
    return (
        "model_config_list { config { name: 'm' base_path: '/MODELS/m' model_platform: 'tensorflow' "
        f"model_version_policy {{ {policy} }} {more} }} }}"
    )


@pytest.fixture(scope="module")
def serving_all(start):
    return start(config("all {}"))


@pytest.fixture(scope="module")
def serving_latest(start):
    return start(config())


@pytest.fixture(scope="module")
def serving_first(start):
    return start(config("specific { versions: 1 }"))


@pytest.fixture
def replay(models):
    """Sends a recorded request to a target, and holds the answer to the recorded one."""
    return lambda target, case: _replay(target, case, str(models))


@pytest.mark.parametrize("case", recorded("predict"))
def test_predict_answers_as_recorded(serving_all, replay, case):
    replay(serving_all, case)


@pytest.mark.parametrize("case", recorded("meta"))
def test_metadata_and_status_answer_as_recorded(serving_latest, replay, case):
    replay(serving_latest, case)


@pytest.mark.parametrize("case", recorded("cls"))
def test_calls_on_examples_answer_as_recorded(serving_first, replay, case):
    replay(serving_first, case)


@pytest.mark.parametrize("case", recorded("content"))
def test_numbers_come_as_bytes_where_that_is_asked_for(start, replay, case):
    replay(start(config(), as_tensor_content=True), case)


@pytest.mark.parametrize("name", ["b_ok", "b_filter"])
def test_requests_that_batching_leaves_alone_answer_as_recorded(serving_latest, replay, name):
    """The rest of the group is what TensorFlow Serving's batching does to requests; this server has none."""
    replay(serving_latest, case_of("batch", name))


def test_reloads_answer_as_recorded(start, replay, models):
    target = start(config("all {}"))
    # Two reloads of the recording session are missing from the file: the one that set the labels
    # ...
    _reload(
        target,
        config(
            "all {}",
            "version_labels { key: 'stable' value: 1 } version_labels { key: 'canary' value: 3 }",
        ),
        models,
    )
    steps = [case["case"] for case in _GROUPS["reload"]]
    removal = steps.index("p_removed")
    for name in steps[:removal]:
        replay(target, case_of("reload", name))
    # ... and the one that removed the second model.
    _reload(target, config("specific { versions: 1 versions: 2 }"), models)
    for name in steps[removal : steps.index("poisoned_after_no_platform")]:
        replay(target, case_of("reload", name))


def test_a_reload_without_platform_is_refused_as_recorded_but_spoils_no_later_one(
    start, replay, models
):
    target = start(config("all {}"))
    poisoned = case_of("reload", "poisoned_after_no_platform")
    _reload(
        target,
        "model_config_list { config { name: 'n' base_path: '/MODELS/m' } }",
        models,
        poisoned,
    )
    replay(target, case_of("reload", "still_serving_after_poison"))
    replay(target, poisoned | {"code": "OK", "message": "", "response": "status {}"})


def test_reloads_from_the_start_answer_as_recorded(start, replay, eventually):
    target = start(config("all {}"))
    for case in _GROUPS["reload2"][:-1]:
        replay(target, case)
    replay(target, _GROUPS["reload2"][-1])


@pytest.mark.parametrize("name", ["labels_at_start", "logging_config"])
def test_a_configuration_that_is_refused_at_the_start_says_so_as_recorded(start, name):
    from serving.model_server.status_error import StatusError

    case = case_of("startup", name)
    with pytest.raises(StatusError) as refusal:
        start(case["request"])
    assert (refusal.value.code.name, refusal.value.text) == (case["code"], case["message"])


def test_labels_are_there_from_the_start_where_that_is_allowed(start, replay):
    target = start(case_of("startup", "labels_at_start_allowed")["request"], labels_may_wait=True)
    replay(target, case_of("startup", "lbl"))


def test_a_corrupt_model_is_refused_in_a_reload_as_at_tensorflow_servings_start(
    serving_latest, models, start
):
    case = case_of("startup", "corrupt")
    shutil.copytree(models / "m" / "1", models / "bad" / "1")
    data = next((models / "bad" / "1" / "variables").glob("variables.data-*"))
    data.write_bytes(data.read_bytes()[:2])
    _reload(start("model_config_list {}"), case["request"], models, case)


def test_versions_come_and_go_through_the_recorded_states(models, tmp_path):
    """The states in which something rests; those that last an instant on the way are tested with the models' life."""
    from serving.model_server.versions.served_model import ServedModel
    from tests.serving.model_server.polling import poll as poll_model

    model = ServedModel(tmp_path, name="m")

    def push(number, source="1"):
        shutil.copytree(models / "m" / source, tmp_path / "staged")
        return (tmp_path / "staged").rename(tmp_path / str(number))

    seen = []

    def poll():
        poll_model(model)
        seen.append([[v.number, v.state.name, *_code_and_text(v.error)] for v in model.statuses()])

    push(1), poll()
    push(2), poll()
    data = next((push(4) / "variables").glob("variables.data-*"))
    data.write_bytes(data.read_bytes()[:2]), poll()
    (
        _write_warm_up(
            push(5), 'inputs { key: "x" value { dtype: DT_FLOAT tensor_shape {} float_val: 1.0 } }'
        ),
        poll(),
    )
    for number in (4, 5, 2):
        shutil.rmtree(tmp_path / str(number))
    poll()
    shutil.rmtree(tmp_path / "1"), poll()
    model.close()
    recorded = case_of("swap", "swap_states")["states"]
    resting = [
        state
        for state in recorded
        if not {"START", "LOADING", "UNLOADING"} & {version[1] for version in state}
    ]
    both = next(
        state for state in resting if [version[1] for version in state].count("AVAILABLE") == 2
    )
    resting.remove(both)  # 1 was AVAILABLE an instant before 2 was UNLOADING
    assert seen == resting


def _code_and_text(error):
    return (error.code.value[0], error.text.partition("\n")[0]) if error else (0, "")


def _write_warm_up(folder, request):
    import tensorflow as tf
    from google.protobuf import text_format
    from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog

    log = text_format.Parse(f"predict_log {{ request {{ {request} }} }}", PredictionLog())
    (folder / "assets.extra").mkdir()
    with tf.io.TFRecordWriter(
        str(folder / "assets.extra" / "tf_serving_warmup_requests")
    ) as writer:
        writer.write(log.SerializeToString())


def _reload(target, config, models, answer=None):
    """Sends a configuration; it is taken over, unless `answer` says what else becomes of it."""
    expected = {"code": "OK", "message": "", "response": "status {}"} | (answer or {})
    _replay(
        target,
        expected | {"api": "HandleReloadConfigRequest", "request": f"config {{ {config} }}"},
        str(models),
    )


def _replay(target, case, models):
    from google.protobuf import text_format

    # not sooner: it imports TensorFlow
    from tests.serving.model_server.api_methods import stub_of, types_of

    with grpc.insecure_channel(target) as channel:
        request_type, response_type = types_of(case["api"])
        request = text_format.Parse(_as_here(case["request"], models), request_type())
        try:
            response, code, message = (
                getattr(stub_of(case["api"])(channel), case["api"])(request, timeout=600.0),
                "OK",
                "",
            )
        except grpc.RpcError as error:
            response, code, message = None, error.code().name, error.details()
    assert code == case["code"]
    if "{{node" in case["message"]:
        # the text of an operation, whose wording depends on the build of TensorFlow
        assert "{{node" in message
    else:
        # the operation that says so, which not every build names
        message = re.sub(r"\n\t \[\[.*?}}\]\]", "", message)
        assert _as_here(message, models) == _as_here(case["message"], models)
    if response is not None:
        expected = text_format.Parse(_as_here(case["response"], models), response_type())
        _assert_same(response, expected)


def _as_here(text, models):
    """The input of the `clf` and `reg` signatures was called `examples` when some of the answers were recorded."""
    return (
        text.replace('key: "examples"', 'key: "inputs"')
        .replace("_examples:0", "_inputs:0")
        .replace("/MODELS", models)
    )


def _assert_same(response, expected):
    from tensorflow_serving.apis.get_model_metadata_pb2 import GetModelMetadataResponse
    from tensorflow_serving.apis.predict_pb2 import PredictResponse

    if isinstance(response, PredictResponse):
        assert response.model_spec == expected.model_spec
        assert set(response.outputs) == set(expected.outputs)
        for name, tensor in expected.outputs.items():
            _assert_same_tensor(response.outputs[name], tensor)
    elif isinstance(response, GetModelMetadataResponse):
        assert response.model_spec == expected.model_spec
        assert _signatures(response) == _signatures(expected)
    else:
        assert _rounded(response) == _rounded(expected)


def _assert_same_tensor(received, expected):
    import tensorflow as tf

    assert received.dtype == expected.dtype
    assert received.tensor_shape == expected.tensor_shape
    assert [field.name for field, _ in received.ListFields()] == [
        field.name for field, _ in expected.ListFields()
    ]
    if expected.dtype == tf.string.as_datatype_enum:
        assert list(received.string_val) == list(expected.string_val)
    else:
        assert tf.make_ndarray(received) == pytest.approx(tf.make_ndarray(expected), rel=1e-6)


def _rounded(message):
    """As text, with numbers to six digits: the last digit of a float depends on the build of TensorFlow."""
    from google.protobuf import text_format

    text = text_format.MessageToString(message)
    return re.sub(
        r"(?<=: )-?\d+\.\d+(e[-+]?\d+)?$",
        lambda number: f"{float(number[0]):.6g}",
        text,
        flags=re.M,
    )


def _signatures(response):
    """Unpacked, because a map is packed in any order."""
    from tensorflow_serving.apis.get_model_metadata_pb2 import SignatureDefMap

    signatures = SignatureDefMap()
    assert response.metadata["signature_def"].Unpack(signatures)
    return signatures
