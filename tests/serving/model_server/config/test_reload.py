"""What a new configuration changes, and what it leaves alone."""

from __future__ import annotations

import shutil

import grpc
import pytest

from tests.serving.model_server.polling import poll

pytestmark = pytest.mark.tensorflow


@pytest.fixture
def reload(models, root):
    """Replaces the configuration by models given in text form; a model `toy` of all that `push` pushed is `toy(...)`."""
    from google.protobuf import text_format
    from tensorflow_serving.apis.model_management_pb2 import ReloadConfigRequest

    from serving.model_server.config.reload import reload_config

    def send(*configs, **settings):
        text = f"config {{ model_config_list {{ {' '.join(f'config {{ {config} }}' for config in configs)} }} }}"
        reload_config(
            models,
            text_format.Parse(text.replace("/ROOT", str(root)), ReloadConfigRequest()),
            **settings,
        )

    return send


def toy(more="", name="toy", folder="/ROOT/serving_model", platform='model_platform: "tensorflow"'):
    return f'name: "{name}" base_path: "{folder}" {platform} {more}'


def policy(text):
    return toy(f"model_version_policy {{ {text} }}")


def refused(call, *arguments):
    from serving.model_server.status_error import StatusError

    with pytest.raises(StatusError) as refusal:
        call(*arguments)
    return refusal.value.code, refusal.value.text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", [3]),
        ("latest {}", [3]),
        ("latest { num_versions: 2 }", [3, 2]),
        ("all {}", [3, 2, 1]),
        ("specific { versions: 1 versions: 3 }", [3, 1]),
    ],
)
def test_a_policy_chooses_the_versions_that_are_loaded(models, reload, push, text, expected):
    push(1), push(2), push(3)
    reload(policy(text))
    assert models.named("toy").available_versions() == expected


def test_latest_counts_versions_that_load(models, reload, push):
    push(1), push(2), push(3, break_it=lambda folder: (folder / "saved_model.pb").unlink())
    reload(policy("latest { num_versions: 2 }"))
    assert models.named("toy").available_versions() == [2, 1]


def test_another_policy_loads_and_unloads_what_differs(models, reload, push):
    push(1), push(2)
    reload(policy("all {}"))
    reload(policy("specific { versions: 1 }"))
    assert models.named("toy").available_versions() == [1]


def test_a_specific_version_that_is_not_there_leaves_the_newest_in_service(models, reload, push):
    push(1), push(2)
    reload(policy("all {}"))
    reload(policy("specific { versions: 7 }"))
    assert models.named("toy").available_versions() == [2]


def test_a_model_that_is_listed_no_longer_ends_and_may_come_back(models, reload, push):
    push(1)
    reload(toy(), toy(name="twin"))
    reload(toy())
    assert models.named("twin").available_versions() == []
    assert [version.state.name for version in models.named("twin").statuses()] == ["END"]
    reload(toy(), toy(name="twin"))
    assert models.named("twin").available_versions() == [1]


def test_the_same_version_from_another_folder_takes_over_without_a_gap(models, reload, push, root):
    push(1)
    shutil.copytree(push(2), root / "elsewhere" / "1")
    reload(policy("specific { versions: 1 }"))
    model = models.named("toy")
    with model.use() as held:
        reload(toy(folder="/ROOT/elsewhere"))
        assert product(held.model) == [1.0 * 2.0 * 1.0]  # x · weight · version of the export
        with model.use() as other:
            assert product(other.model) == [1.0 * 2.0 * 2.0]
    poll(model)
    assert [(version.number, version.state.name) for version in model.statuses()] == [
        (1, "AVAILABLE")
    ]
    assert not model._replaced


def test_a_broken_version_from_another_folder_replaces_nothing(models, reload, push, root):
    folder = push(1)
    shutil.copytree(folder, root / "elsewhere" / "1")
    (root / "elsewhere" / "1" / "saved_model.pb").unlink()
    reload(toy())
    reload(toy(folder="/ROOT/elsewhere"))
    with models.named("toy").use() as version:
        assert product(version.model) == [2.0]


def test_a_missing_folder_holds_up_no_other_model(models, reload, push):
    push(1)
    reload(toy(name="early", folder="/ROOT/nowhere"), toy())
    assert models.named("toy").available_versions() == [1]
    push(2)
    models.poll()
    assert models.named("toy").available_versions() == [2]


def test_a_refused_configuration_changes_nothing(models, reload, push):
    push(1), push(2)
    reload(
        toy('model_version_policy { all {} } version_labels { key: "stable" value: 1 }'),
        labels_may_wait=True,
    )
    assert (
        refused(reload, policy("latest {}"), toy(name="other", platform=""))[0]
        == grpc.StatusCode.INVALID_ARGUMENT
    )
    assert models.named("toy").available_versions() == [2, 1]
    assert models.named("toy").labels == {"stable": 1}
    reload(policy("latest {}"))
    assert models.named("toy").available_versions() == [2]


def test_a_label_may_wait_for_its_version_only_while_it_is_new(models, reload, push):
    push(1)
    reload(toy('version_labels { key: "next" value: 2 }'), labels_may_wait=True)
    spec = label("next")
    assert (
        refused(lambda: models.use(spec).__enter__())[1]
        == "Servable not found for request: Specific(toy, 2)"
    )
    push(2)
    models.poll()
    with models.use(spec) as version:
        assert version.number == 2
    code, _ = refused(
        lambda: reload(toy('version_labels { key: "next" value: 9 }'), labels_may_wait=True)
    )
    assert code == grpc.StatusCode.FAILED_PRECONDITION


INVALID = grpc.StatusCode.INVALID_ARGUMENT


@pytest.mark.parametrize(
    ("configs", "text"),
    [
        ([toy(), toy()], "Illegal to list model toy multiple times in config list"),
        ([toy(name="")], "A model has no name; its base_path is "),
        (
            [toy(folder="models")],
            "Expected model toy to have an absolute path or URI; got base_path()=models",
        ),
        (
            [toy("model_type: TENSORFLOW")],
            "Illegal setting both ModelServerConfig::model_type (deprecated) and ModelServerConfig::model_platform.",
        ),
        (
            [toy(platform="model_type: OTHER")],
            "ModelServerConfig::model_type choice 2 not supported.",
        ),
    ],
)
def test_mistakes_in_a_configuration_are_refused_by_name(reload, configs, text):
    code, received = refused(reload, *configs)
    assert code == INVALID
    assert received.startswith(text)


def test_the_older_way_to_name_the_platform_is_understood(models, reload, push):
    push(1)
    reload(toy(platform="model_type: TENSORFLOW"))
    assert models.named("toy").available_versions() == [1]


def test_a_configuration_of_another_kind_is_refused(models):
    from tensorflow_serving.apis.model_management_pb2 import ReloadConfigRequest

    from serving.model_server.config.reload import reload_config

    code, text = refused(reload_config, models, ReloadConfigRequest())
    assert code == INVALID
    assert text.endswith("Only ModelConfigList is currently supported")


def product(model):
    """The toy model's answer to x = 1.0."""
    from tensorflow.core.framework.tensor_pb2 import TensorProto

    x = TensorProto(dtype=1, float_val=[1.0])
    x.tensor_shape.dim.add(size=1)
    weight = TensorProto(dtype=1, float_val=[2.0])
    return model.run("serving_default", {"x": x, "weight": weight}, ["product"], None)[0].tolist()


def label(name):
    from tensorflow_serving.apis.model_pb2 import ModelSpec

    return ModelSpec(name="toy", version_label=name)
