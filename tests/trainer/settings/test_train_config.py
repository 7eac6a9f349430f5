"""Settings: defaults, and errors that name the place."""

from __future__ import annotations

import sys

import pydantic
import pytest

from trainer.settings.model_config import MODELS
from trainer.settings.train_config import Settings, TrainerSettings, parse_settings


def test_no_settings_give_ple_with_its_defaults():
    settings = parse_settings({}, {})
    assert settings.name == "ple"
    assert settings.model == MODELS["ple"]()


def test_a_model_has_defaults_of_its_own_for_the_trainer():
    own, given = parse_settings({"name": "mssm"}, {}), {"coefficient_learning_rate": 0.2}
    assert own.trainer.coefficient_learning_rate == 0.03
    assert parse_settings({"name": "mssm"}, given).trainer.coefficient_learning_rate == 0.2
    assert parse_settings({}, {}).trainer == TrainerSettings()


@pytest.mark.parametrize("name", list(MODELS))
def test_settings_survive_json(name):
    settings = parse_settings({"name": name, "tower_units": [8]}, {"epochs": 3})
    assert Settings.model_validate_json(settings.model_dump_json()) == settings


@pytest.mark.parametrize(
    ("model", "trainer", "message"),
    [
        ({"name": "plee"}, {}, "model.name: no such model 'plee': did you mean 'ple'?"),
        ({"level": 2}, {}, "model: unknown key 'level': did you mean 'levels'?"),
        ({}, {"epoch": 3}, "trainer: unknown key 'epoch': did you mean 'epochs'?"),
        ({}, {"epochs": 0}, "trainer.epochs: Input should be greater than 0 (received 0)"),
        ({}, {"epochs": "3"}, "trainer.epochs: Input should be a valid integer (received '3')"),
        (
            {},
            {"balancing": "stch", "epochs": 1},
            "trainer.balancing: stch needs trainer.epochs of 2 or more: the first is "
            "its warm-up (received 'stch')",
        ),
        (
            {"name": "dselect_k", "experts": 4, "selected": 5},
            {},
            "model.selected: there are only 4 experts to select from (received 5)",
        ),
        (
            {"dropout_rate": 1.0},
            {},
            "model.dropout_rate: Input should be less than 1 (received 1.0)",
        ),
        (
            {"task_groups": [["click", "like"]]},
            {},
            "model.task_groups: there must be at least 2 groups; one of all tasks is "
            "what 'shared_experts' are for",
        ),
        (
            {"task_groups": [["click", "like"], ["like"]]},
            {},
            "model.task_groups: a task belongs to one group. In several: like",
        ),
        (
            {"name": "mmoe", "self_gate": True},
            {},
            "model: unknown key 'self_gate'",
        ),
        (
            {"name": "stem", "task_fields": ["user", "user"]},
            {},
            "model.task_fields: names 'user' more than once",
        ),
        (
            {"personalise": "tab"},
            {},
            "model.personalise: Input should be a mapping of keys (received 'tab')",
        ),
        (
            {"personalise": {}},
            {},
            "model.personalise: needs fields in 'domain', 'prior' or both",
        ),
        (
            {"personalise": {"prior": ["user", "user"]}},
            {},
            "model.personalise: 'prior' names 'user' more than once",
        ),
        (
            {"personalise": {"prior": ["user"]}, "tower_units": []},
            {},
            "'personalise.prior' gates the hidden units of towers, and 'tower_units' is empty",
        ),
        (
            {"personalise": {"domian": ["tab"]}},
            {},
            "model.personalise: unknown key 'domian': did you mean 'domain'?",
        ),
    ],
)
def test_a_wrong_setting_is_named_with_what_is_valid(model, trainer, message):
    with pytest.raises(ValueError, match=r".") as error:
        parse_settings(model, trainer)
    assert message in str(error.value)


def test_all_mistakes_are_told_at_once():
    with pytest.raises(ValueError, match=r"model\.levels.*; trainer\.epochs"):
        parse_settings({"levels": 0}, {"epochs": 0})
    with pytest.raises(ValueError, match=r"model\.name: .*; trainer\.epochs"):
        parse_settings({"name": "plee"}, {"epochs": 0})


@pytest.mark.parametrize(
    ("named", "message"),
    [
        ({"name": "plee"}, "no such model 'plee': did you mean 'ple'?"),
        ({"name": ["ple"]}, "no such model ['ple']: did you mean 'ple'?"),
        ({}, "no such model None: valid: "),
    ],
)
def test_settings_as_json_name_a_model_of_this_version(named, message):
    with pytest.raises(pydantic.ValidationError) as error:
        Settings.model_validate({**named, "model": {"levels": 2}, "trainer": {}})
    assert message in str(error.value)


def test_settings_need_no_tensorflow():
    import subprocess

    code = "import sys, trainer.settings.train_config; sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_fields_that_gates_name_must_be_read_by_the_model():
    gates = {"domain": ["tab"], "prior": ["usr", "clicks"]}
    with pytest.raises(ValueError, match=r".") as error:
        parse_settings({"personalise": gates}, {}, dict.fromkeys(["tab", "user", "clicked"], True))
    assert (
        "model.personalise.prior: no such field 'usr' that the model reads: did you mean 'user'?"
        in str(error.value)
    )
    assert "no such field 'clicks' that the model reads: did you mean 'clicked'?" in str(
        error.value
    )
    assert parse_settings({"personalise": gates}, {}).model.personalise.prior == ["usr", "clicks"]


def test_tables_of_tasks_need_a_field_with_embeddings():
    message = r"^model\.task_fields: the model needs a field with embeddings, and reads none: age$"
    for fields in (None, ["age"]):
        with pytest.raises(ValueError, match=message):
            parse_settings({"name": "stem", "task_fields": fields}, {}, {"age": False})
    assert parse_settings({"name": "ple"}, {}, {"age": False}).name == "ple"


def test_groups_of_tasks_have_every_task_of_the_spec():
    groups = {"task_groups": [["click", "lik"], ["ratio"]]}
    with pytest.raises(ValueError, match=r".") as error:
        parse_settings(groups, {}, tasks=["click", "like", "ratio"])
    assert "model.task_groups: no such task 'lik': did you mean 'like' or 'click'?" in str(
        error.value
    )
    assert "model.task_groups: every task needs a place (missing: like)" in str(error.value)
    assert parse_settings(groups, {}).model.task_groups == [["click", "lik"], ["ratio"]]


def test_groups_become_positions_and_one_task_alone_is_its_own_group():
    settings = parse_settings({"task_groups": [["click", "ratio"], ["like"]]}, {}).model
    assert settings.arguments_for(["click", "like", "ratio"])["task_groups"] == [[0, 2], [1]]
    assert settings.arguments_for(["ratio"])["task_groups"] == [[0]]
