"""--set and --model change the spec and are checked like the spec itself."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from feature_spec.loading import SpecError, load_spec, ready_specs
from pipeline.commands.spec_overrides import checked_trainer_settings, load_overridden_spec


def test_without_overrides_the_spec_is_as_it_is_in_the_file() -> None:
    assert load_overridden_spec("short_video", []) == load_spec("short_video")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("3", 3),
        ("0.5", 0.5),
        ("true", True),
        ("[64, 32]", [64, 32]),
        ("ple", "ple"),
        ("a=b", "a=b"),
    ],
)
def test_a_value_is_read_as_yaml(text: str, value: object) -> None:
    assert load_overridden_spec("short_video", [f"trainer.anything={text}"]).trainer == {
        "anything": value
    }


def test_an_override_replaces_one_value_and_leaves_the_others() -> None:
    spec = load_overridden_spec("short_video", ["tasks.vtr.threshold=0.9"])
    original = load_spec("short_video")
    assert spec.tasks["vtr"].threshold == 0.9
    assert spec.tasks["vtr"].tolerance == original.tasks["vtr"].tolerance
    assert spec.fingerprint == original.fingerprint


def test_histories_are_replaced_and_taken_away_with_their_fields() -> None:
    user = "{known_after_s: 60, counts: {user: {by: [user_id]}}}"
    spec = load_overridden_spec(
        "short_video", [f"histories={user}", "histories.counts.user.smoothing=3"]
    )
    made = [name for name, field in spec.fields.items() if field.history == "user"]
    assert made[0] == "user_shown"
    assert {spec.fields[name].smoothing for name in made if spec.fields[name].is_rate} == {3.0}
    without = load_overridden_spec("short_video", ["histories=null"])
    assert not any(field.history for field in without.fields.values())


def test_of_two_overrides_of_one_value_the_last_counts() -> None:
    assert load_overridden_spec(
        "short_video", ["trainer.epochs=1", "trainer.epochs=2"]
    ).trainer == {"epochs": 2}


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("trainr.epochs=3", "unknown key 'trainr': did you mean 'trainer'"),
        ("tasks.vtr.treshold=0.9", "unknown key 'treshold': did you mean 'threshold'"),
        ("tasks.vtr.threshold=high", "tasks.vtr.threshold: .*received 'high'"),
        ("trainer.epochs", "give a path and a value, such as trainer.epochs=3"),
        ("=3", "give a path and a value"),
        ("trainer..epochs=3", "give a path and a value"),
        ("name.inner=3", "'name' holds a value and no keys"),
        ("trainer.epochs=[1", "not valid YAML"),
    ],
)
def test_a_wrong_override_is_refused_with_what_is_valid(override: str, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        load_overridden_spec("short_video", [override])


def test_the_trainers_settings_are_complete() -> None:
    settings = json.loads(
        checked_trainer_settings(load_overridden_spec("short_video", ["trainer.epochs=3"]))
    )
    assert settings["trainer"]["epochs"] == 3
    assert "learning_rate" in settings["trainer"]


def test_an_unknown_trainer_setting_is_refused_with_the_closest_name() -> None:
    with pytest.raises(SpecError, match=r"epoch.*did you mean 'epochs'"):
        checked_trainer_settings(load_overridden_spec("short_video", ["trainer.epoch=3"]))


def test_an_unknown_model_is_refused_with_the_closest_name() -> None:
    with pytest.raises(SpecError, match="did you mean 'ple'"):
        checked_trainer_settings(load_overridden_spec("short_video", [], model="pl"))


def test_another_model_drops_the_settings_that_the_spec_has_for_its_own(tmp_path: Path) -> None:
    spec_file = tmp_path / "spec.yaml"
    text = ready_specs()["short_video"].read_text(encoding="utf-8")
    spec_file.write_text(text + "\nmodel: {name: ple, levels: 1}\n", encoding="utf-8")
    assert load_overridden_spec(str(spec_file), [], model="shared_bottom").model == {
        "name": "shared_bottom"
    }
    assert load_overridden_spec(str(spec_file), [], model="ple").model == {
        "name": "ple",
        "levels": 1,
    }


def test_an_override_applies_to_the_model_of_the_command_line() -> None:
    spec = load_overridden_spec("short_video", ["model.bottom_units=[8]"], model="shared_bottom")
    assert spec.model == {"name": "shared_bottom", "bottom_units": [8]}
