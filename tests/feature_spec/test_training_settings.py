"""The sections `model` and `trainer` of a spec, checked with the fields that the model reads."""

from __future__ import annotations

import pytest

from feature_spec.fields.field import TrainingOnly
from feature_spec.histories.attention import model_inputs
from feature_spec.loading import load_spec
from feature_spec.training_settings import numbers_of_rows, settings_problems


@pytest.fixture(scope="module")
def inputs():
    spec = load_spec("short_video")
    return model_inputs(spec.fields, spec.histories)


def test_histories_that_candidates_attend_to_stand_in_place_of_their_lists(inputs):
    spec = load_spec("short_video")
    [attended] = [
        name for name, sequence in spec.histories.sequences.items() if sequence.pooling != "mean"
    ]
    lists = [name for name, field in spec.fields.items() if field.history == attended]
    assert lists
    assert not set(lists) & set(inputs)
    assert inputs[attended] is False
    assert (inputs["user_id"], inputs["duration_s"]) == (True, False)


def test_each_field_that_settings_name_must_be_read_by_the_model(inputs):
    gates = {"domain": ["scenrio", "duration_s"], "prior": ["user_id"]}
    assert settings_problems({"personalise": gates}, {}, None, inputs) == [
        "model.personalise.domain: no such field 'scenrio' that the model reads: "
        "did you mean 'scenario'?"
    ]
    [problem] = settings_problems({"name": "stem", "task_fields": ["duration_s"]}, {}, None, inputs)
    assert problem.startswith("model.task_fields: no such field 'duration_s' with embeddings")


def test_fields_are_not_checked_where_they_are_not_known():
    assert settings_problems({"personalise": {"prior": ["nobody"]}}, {}, None) == []


def test_a_row_takes_the_width_of_the_shared_table_and_that_of_all_tasks():
    spec = load_spec("short_video")
    stem = spec.model_copy(update={"model": {"name": "stem", "task_fields": ["video_id"]}})
    width = spec.fields["video_id"].width
    assert numbers_of_rows(spec)[width] == width
    assert numbers_of_rows(stem)[width] == width + 4 * len(spec.tasks)


def test_a_field_that_only_training_has_gates_nothing():
    spec = load_spec("short_video")
    position = spec.fields["hour"].model_copy(update={"training_only": TrainingOnly()})
    read = model_inputs({**spec.fields, "hour": position}, spec.histories)
    assert "hour" not in read
    [problem] = settings_problems({"personalise": {"domain": ["hour"]}}, {}, None, read)
    assert "no such field 'hour' that the model reads" in problem
