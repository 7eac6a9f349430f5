"""Which settings a search may try."""

from __future__ import annotations

import pytest

from feature_spec.sections import Tuner
from trainer.settings.search_space import check_search, decoded, encoded, value_at, with_values
from trainer.settings.train_config import parse_settings

SETTINGS = parse_settings({"name": "ple", "expert_units": [32]}, {"epochs": 7})


def checked(path, **dimension):
    check_search(Tuner.model_validate({"search": {path: dimension}}), SETTINGS)


def test_other_values_take_the_place_of_the_settings_and_the_rest_stays():
    changed = with_values(SETTINGS, {"model.expert_units": [8, 8], "trainer.learning_rate": 0.5})
    assert changed.model.expert_units == [8, 8]
    assert changed.trainer.learning_rate == 0.5
    assert (changed.name, changed.trainer.epochs) == ("ple", 7)
    assert value_at(changed, "model.expert_units") == [8, 8]


def test_settings_of_model_and_run_can_be_searched():
    checked("model.dropout_rate", minimum=0.0, maximum=0.5)
    checked("trainer.learning_rate", minimum=0.0001, maximum=0.01, scale="log")
    checked("model.task_experts", minimum=1, maximum=4)
    checked("trainer.balancing", values=["none", "dwa"])


@pytest.mark.parametrize(
    ("path", "dimension", "message"),
    [
        ("model.dropout", {"values": [0.1]}, "did you mean 'dropout_rate'"),
        ("model.dropout_rate", {"minimum": 0.5, "maximum": 1.5}, r"less than 1 \(received 1.5\)"),
        ("trainer.epochs", {"minimum": 1.0, "maximum": 3.0}, "valid integer"),
        ("trainer.balancing", {"values": ["none", "luck"]}, r"received 'luck'"),
        ("tasks.vtr.loss_weight", {"values": [1.0]}, "give a setting of the model or the trainer"),
        ("learning_rate", {"values": [0.1]}, "give a setting of the model or the trainer"),
        ("model.name", {"values": ["mmoe"]}, "tuner.search.model.name: cannot be searched"),
        ("trainer.strategy", {"values": ["none"]}, "cannot be searched"),
        ("trainer.seed", {"values": [1, 2]}, "cannot be searched"),
    ],
)
def test_what_is_no_setting_or_no_value_of_it_is_refused(path, dimension, message):
    with pytest.raises(ValueError, match=message):
        checked(path, **dimension)


@pytest.mark.parametrize(
    "values", [[1, 2], [0.1, 0.2], [1, 0.5], [[32], [64, 32]], ["none", "dwa"], [True, False]]
)
def test_values_survive_the_way_through_keras_tuner(values):
    assert [decoded({"path": value})["path"] for value in encoded(values)] == values
    # KerasTuner takes values of one type only.
    assert len({type(value) for value in encoded(values)}) == 1


def test_gates_and_their_units_can_be_searched():
    gates = {"domain": ["tab"], "prior": ["user"]}
    own = parse_settings({"personalise": gates}, {})
    wider = with_values(own, {"model.personalise.units": 64})
    assert (wider.model.personalise.units, wider.model.personalise.prior) == (64, ["user"])
    assert value_at(wider, "model.personalise.units") == 64
    assert value_at(own, "model.personalise") == {**gates, "units": 32}
    assert with_values(own, {"model.personalise": None}).model.personalise is None
    with pytest.raises(ValueError, match="model.personalise has no keys"):
        with_values(SETTINGS, {"model.personalise.units": 64})
    search = {"model.personalise": {"values": [None, {"domain": ["tba"]}]}}
    with pytest.raises(ValueError, match="no such field 'tba'.*did you mean 'tab'"):
        check_search(Tuner.model_validate({"search": search}), own, {"tab": True, "user": True})


@pytest.mark.parametrize(
    ("own", "search", "message"),
    [
        (
            {"name": "dselect_k"},
            {
                "model.experts": {"values": [4, 8]},
                "model.selected": {"minimum": 1, "maximum": 6},
            },
            "tuner.search: model.experts=4, model.selected=6 may be tried together: "
            r"model.selected: there are only 4 experts to select from \(received 6\)$",
        ),
        (
            {},
            {
                "trainer.epochs": {"values": [2, 1]},
                "trainer.balancing": {"values": ["none", "stch"]},
            },
            'trainer.epochs=1, trainer.balancing="stch" may be tried together: .* warm-up',
        ),
        (
            {"personalise": {"prior": ["user"]}},
            {
                "model.personalise": {"values": [None, {"prior": ["tab"]}]},
                "model.personalise.units": {"values": [8]},
            },
            "model.personalise=null, model.personalise.units=8 may be tried together: .* no keys",
        ),
    ],
)
def test_settings_that_exclude_each_other_are_not_searched_together(own, search, message):
    with pytest.raises(ValueError, match=message):
        check_search(Tuner.model_validate({"search": search}), parse_settings(own, {}))
