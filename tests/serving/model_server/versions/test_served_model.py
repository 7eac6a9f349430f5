"""Which versions are loaded, and what GetModelStatus says about them."""

from __future__ import annotations

import grpc
import pytest

from tests.serving.model_server.polling import poll

pytestmark = pytest.mark.tensorflow


def truncate_variables(folder):
    data = next((folder / "variables").glob("variables.data-*"))
    data.write_bytes(data.read_bytes()[:2])


def remove_model_file(folder):
    (folder / "saved_model.pb").unlink()


def garble_model_file(folder):
    (folder / "saved_model.pb").write_bytes(b"\xff" * 100)


@pytest.fixture
def model(root):
    from serving.model_server.versions.served_model import ServedModel

    return ServedModel(root)


def states(model):
    """Versions and the names of their states, newest first."""
    from tensorflow_serving.apis.get_model_status_pb2 import ModelVersionStatus

    return [
        (version.number, ModelVersionStatus.State.Name(version.state))
        for version in model.statuses()
    ]


def remove(folder):
    import shutil

    shutil.rmtree(folder)


def test_nothing_is_served_from_an_empty_root(model):
    from serving.model_server.status_error import StatusError

    poll(model)
    assert states(model) == []
    assert model.name is None
    with pytest.raises(StatusError, match="Servable not found for request"), model.use():
        pass


def test_the_newest_of_several_versions_is_loaded(model, push):
    push(1), push(2)
    poll(model)
    assert states(model) == [(2, "AVAILABLE")]


def test_versions_are_compared_as_numbers(model, push):
    push(1, number=9), push(1, number=10)
    poll(model)
    assert model.available_versions() == [10]


def test_a_folder_of_versions_can_be_served_directly(root, push):
    from serving.model_server.versions.served_model import ServedModel

    push(1)
    model = ServedModel(root / "serving_model")
    poll(model)
    assert states(model) == [(1, "AVAILABLE")]


def test_folders_that_are_no_numbers_and_files_are_passed_over(model, root, push):
    push(1)
    (root / "serving_model" / "tmp-7").mkdir()
    (root / "serving_model" / "8").write_text("a file")
    poll(model)
    assert states(model) == [(1, "AVAILABLE")]


def test_a_new_version_is_loaded_before_the_old_one_is_unloaded(root, push):
    from serving.model_server.versions.saved_model import SavedModel
    from serving.model_server.versions.served_model import ServedModel

    seen = []

    def load(folder):
        seen.append((folder.name, states(model)))
        return SavedModel(folder)

    model = ServedModel(root)
    push(1)
    poll(model, load)
    push(2)
    poll(model, load)
    assert seen == [("1", [(1, "LOADING")]), ("2", [(2, "LOADING"), (1, "AVAILABLE")])]
    assert states(model) == [(2, "AVAILABLE"), (1, "END")]


def test_every_signature_has_run_once_before_a_version_answers_requests(root, push):
    from serving.model_server.versions.saved_model import SavedModel
    from serving.model_server.versions.served_model import ServedModel

    runs = []

    class Recorder(SavedModel):
        def run(self, signature, inputs, outputs, timeout_s):
            arrays = super().run(signature, inputs, outputs, timeout_s)
            runs.append((signature, outputs, model.available_versions()))
            return arrays

    model = ServedModel(root)
    push(1)
    poll(model, Recorder)
    assert sorted(runs) == [
        ("rank", ["click", "like", "ranking_score"], []),
        ("serving_default", ["product", "version"], []),
        ("single", ["product"], []),
        ("slow", ["rounds"], []),
    ]


def test_an_old_version_stays_in_memory_until_its_last_request_is_answered(model, push):
    push(1)
    poll(model)
    with model.use() as held:
        push(2)
        poll(model)
        assert states(model) == [(2, "AVAILABLE"), (1, "UNLOADING")]
        with model.use() as other:
            assert other.number == 2
        assert held.number == 1
        assert held.model.run("slow", {"rounds": int32(3)}, ["rounds"], None) == [3]
    poll(model)
    assert states(model) == [(2, "AVAILABLE"), (1, "END")]


@pytest.mark.parametrize(
    ("break_it", "code", "text"),
    [
        (truncate_variables, grpc.StatusCode.OUT_OF_RANGE, "Read less bytes than requested"),
        (
            remove_model_file,
            grpc.StatusCode.NOT_FOUND,
            "Could not find SavedModel .pb or .pbtxt at supplied export directory path",
        ),
        (garble_model_file, grpc.StatusCode.DATA_LOSS, "as binary proto"),
    ],
)
def test_a_version_that_cannot_be_loaded_ends_with_its_error_and_the_old_one_stays(
    model, push, break_it, code, text
):
    push(1)
    poll(model)
    push(2, break_it=break_it)
    poll(model)
    assert states(model) == [(2, "END"), (1, "AVAILABLE")]
    error = model.statuses()[0].error
    assert error.code == code
    assert text in error.text


@pytest.mark.parametrize(
    "error",
    [ValueError("a bad value"), MemoryError(), RuntimeError("no handle"), OSError(5, "disk")],
)
def test_a_version_whose_loading_fails_in_an_unforeseen_way_ends_with_its_error(model, push, error):
    """Left in LOADING, it would be neither tried again nor told to whoever waits for it."""
    push(1)
    poll(model)
    push(2)
    tries = []

    def load(_):
        tries.append(1)
        raise error

    poll(model, load), poll(model, load)
    assert len(tries) == 1
    assert states(model) == [(2, "END"), (1, "AVAILABLE")]
    found = model.statuses()[0].error
    assert (found.code.name, found.text) == ("INTERNAL", f"{type(error).__name__}: {error}")


def test_a_version_that_cannot_be_loaded_is_not_tried_again_until_its_files_change(
    root, push, toy_exports
):
    import shutil

    from serving.model_server.versions.saved_model import SavedModel
    from serving.model_server.versions.served_model import ServedModel

    tries = []

    def load(folder):
        tries.append(folder.name)
        return SavedModel(folder)

    model = ServedModel(root)
    folder = push(2, break_it=remove_model_file)
    poll(model, load), poll(model, load)
    assert tries == ["2"]
    shutil.copy(toy_exports(2) / "saved_model.pb", folder)
    poll(model, load)
    assert tries == ["2", "2"]
    assert states(model) == [(2, "AVAILABLE")]


def test_a_version_whose_files_stay_broken_is_tried_five_more_times_a_minute_apart(
    root, push, monkeypatch
):
    from serving.model_server.status_error import StatusError
    from serving.model_server.versions import served_model

    tries_s, now_s = [], [0.0]

    def load(folder):
        tries_s.append(now_s[0])
        raise StatusError(grpc.StatusCode.RESOURCE_EXHAUSTED, "no memory")

    monkeypatch.setattr(served_model.time, "monotonic", lambda: now_s[0])
    model = served_model.ServedModel(root)
    push(1)
    for _ in range(100):
        poll(model, load)
        now_s[0] += 10.0
    assert tries_s == [0.0, 60.0, 120.0, 180.0, 240.0, 300.0]


def test_a_newest_version_broken_from_the_start_leaves_the_one_before_in_service(model, push):
    push(1), push(2, break_it=truncate_variables)
    poll(model)
    assert states(model) == [(2, "END"), (1, "AVAILABLE")]


def test_deleting_the_newest_version_brings_the_older_back(model, push):
    push(1)
    newest = push(2)
    poll(model)
    remove(newest)
    poll(model)
    assert states(model) == [(2, "END"), (1, "AVAILABLE")]


def test_a_version_deleted_and_pushed_again_is_loaded_again(model, push):
    push(1)
    newest = push(2)
    poll(model)
    remove(newest)
    poll(model)
    push(3, number=2)
    poll(model)
    assert states(model) == [(2, "AVAILABLE"), (1, "END")]


def test_what_is_loaded_stays_when_only_broken_versions_are_left_on_disk(model, push):
    good = push(1)
    poll(model)
    push(2, break_it=truncate_variables)
    remove(good)
    poll(model)
    assert states(model) == [(2, "END"), (1, "AVAILABLE")]


def test_deleting_every_version_ends_the_service(model, push):
    only = push(1)
    poll(model)
    remove(only)
    poll(model)
    assert states(model) == [(1, "END")]


def test_policy_all_keeps_every_version_that_loads(root, push):
    from serving.model_server.versions.served_model import ServedModel
    from serving.model_server.versions.version import VersionPolicy

    push(1), push(2, break_it=truncate_variables)
    newest = push(3)
    model = ServedModel(root, policy=VersionPolicy.ALL)
    poll(model)
    assert states(model) == [(3, "AVAILABLE"), (2, "END"), (1, "AVAILABLE")]
    remove(newest)
    poll(model)
    assert states(model) == [(3, "END"), (2, "END"), (1, "AVAILABLE")]


def test_a_root_that_cannot_be_read_for_a_while_changes_nothing(model, root, push, monkeypatch):
    from pathlib import Path

    push(1)
    poll(model)

    def unreadable(_):
        raise PermissionError("disk on strike")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "iterdir", unreadable)
        poll(model)
    assert states(model) == [(1, "AVAILABLE")]


def test_the_model_goes_by_the_name_in_the_spec_it_was_trained_with(model, push):
    push(1)
    poll(model)
    assert model.name == "toy"


def test_a_model_without_a_spec_goes_by_the_name_of_the_root(model, push):
    push(1, break_it=lambda folder: (folder / "assets.extra" / "feature_spec.yaml").unlink())
    poll(model)
    assert model.name == "root"


def test_a_given_name_is_kept(root, push):
    from serving.model_server.versions.served_model import ServedModel

    push(1)
    model = ServedModel(root, name="mine")
    poll(model)
    assert model.name == "mine"


def int32(value):
    from tensorflow.core.framework.tensor_pb2 import TensorProto

    return TensorProto(dtype=3, int_val=[value])
