"""The search: the spec's own settings first, killed and gone on with, more trials added."""

from __future__ import annotations

import json
import math
from types import SimpleNamespace

import pytest

pytest.importorskip("tensorflow")

pytestmark = [pytest.mark.tensorflow, pytest.mark.slow]

SPACE = {
    "trainer.learning_rate": {"minimum": 0.0001, "maximum": 0.1, "scale": "log"},
    "model.expert_units": {"values": [[4], [8], [8, 8]]},
}


@pytest.fixture
def search(tasks, settings, tmp_path, monkeypatch):
    """Searches in one folder; the training is replaced by a function of the settings that gives metrics."""
    from feature_spec.sections import Tuner
    from trainer.tune.tuner import SettingsTuner

    def searched(metrics_of, *, space=SPACE, own=None, **tuner):
        chosen = own or settings()
        inputs = SimpleNamespace(spec=SimpleNamespace(tasks=tasks))
        monkeypatch.setattr(SettingsTuner, "_metrics", lambda _, tried, __: metrics_of(tried))
        monkeypatch.setattr(SettingsTuner, "_alone", lambda _: {"click": 0.7, "ratio": 0.1})
        found = SettingsTuner(
            inputs, chosen, Tuner.model_validate({"search": space, **tuner}), tmp_path / "search"
        )
        found.search()
        return found

    return searched


def best_near(learning_rate, tried):
    """Metrics that are best at a learning rate."""
    distance = abs(math.log10(tried.trainer.learning_rate / learning_rate))
    return {"click": 0.8 - 0.02 * distance, "ratio": 0.05 + 0.001 * distance}


def test_the_specs_own_settings_are_tried_first(search, settings):
    seen = []
    own = settings(learning_rate=0.02)
    own = own.model_copy(update={"model": own.model.model_copy(update={"expert_units": [8, 8]})})

    def metrics(tried):
        seen.append((tried.trainer.learning_rate, tried.model.expert_units))
        return {"click": 0.8, "ratio": 0.05}

    search(metrics, own=own, max_trials=3)
    assert seen[0] == (0.02, [8, 8])
    assert len(seen) == len({json.dumps(pair) for pair in seen}) == 3


@pytest.mark.parametrize("algorithm", ["bayesian", "random"])
def test_the_best_trial_is_better_than_the_first(search, algorithm):
    found = search(lambda tried: best_near(0.05, tried), max_trials=10, algorithm=algorithm)
    first = found.oracle.get_trial("00")
    [best] = found.oracle.get_best_trials()
    assert best.score > first.score


def test_a_trial_counts_by_its_task_that_gains_least(search):
    # The more the click gains, the more the ratio loses.
    metrics = {0.001: {"click": 0.72, "ratio": 0.09}, 0.1: {"click": 0.99, "ratio": 0.11}}
    space = {"trainer.learning_rate": {"values": [0.001, 0.1]}}
    found = search(lambda tried: metrics[tried.trainer.learning_rate], space=space, max_trials=2)
    [best] = found.get_best_hyperparameters()
    assert best.values == {"trainer.learning_rate": 0.001}


def test_a_weighted_sum_may_buy_one_task_with_another(search):
    metrics = {0.001: {"click": 0.72, "ratio": 0.09}, 0.1: {"click": 0.99, "ratio": 0.11}}
    space = {"trainer.learning_rate": {"values": [0.001, 0.1]}}
    weights = {"click": 1.0, "ratio": 1.0}
    found = search(
        lambda tried: metrics[tried.trainer.learning_rate],
        space=space,
        max_trials=2,
        objective="weighted_sum",
        weights=weights,
    )
    [best] = found.get_best_hyperparameters()
    assert best.values == {"trainer.learning_rate": 0.1}


def test_a_killed_search_goes_on_with_the_trial_under_way_and_repeats_no_other(search):
    seen = []

    def metrics(tried):
        seen.append(tried.trainer.learning_rate)
        return best_near(0.05, tried)

    def killed_in_the_third(tried):
        if len(seen) == 2:
            raise KeyboardInterrupt
        return metrics(tried)

    with pytest.raises(KeyboardInterrupt):
        search(killed_in_the_third, max_trials=5)
    search(metrics, max_trials=5)
    assert len(seen) == len(set(seen)) == 5


def test_a_finished_search_goes_on_where_more_trials_are_asked_for(search):
    seen = []

    def metrics(tried):
        seen.append(tried.trainer.learning_rate)
        return best_near(0.05, tried)

    search(metrics, max_trials=2)
    found = search(metrics, max_trials=4)
    assert len(seen) == len(set(seen)) == 4
    assert len(found.oracle.trials) == 4


def test_the_networks_of_one_task_are_trained_once_whatever_becomes_of_the_search(
    search, tasks, monkeypatch
):
    import trainer.tune.tuner as module

    trained = []

    def fit_alone(task, inputs, settings, *, checkpoint_folder):
        del inputs, settings
        checkpoint_folder.mkdir(parents=True)
        trained.append(task)
        return task

    own_metrics = module.SettingsTuner._alone
    examples = SimpleNamespace(of_task=lambda column: column)
    inputs = SimpleNamespace(
        spec=SimpleNamespace(tasks=tasks), examples=lambda: (examples, examples)
    )
    monkeypatch.setattr(module, "fit_alone", fit_alone)
    monkeypatch.setattr(
        module, "validation_metrics", lambda network, one, settings, column: {network: 0.5 + column}
    )
    found = search(lambda tried: best_near(0.05, tried), max_trials=1, seed=2)
    found._inputs = inputs
    assert own_metrics(found) == own_metrics(found) == {"click": 0.5, "ratio": 1.5}
    assert trained == ["click", "ratio"]


def test_a_training_that_fails_ends_the_search_with_its_settings_and_cause(search):
    import keras_tuner

    def fails(tried):
        raise ValueError("no batch")

    with pytest.raises(
        keras_tuner.errors.FatalError, match=r"trial 0 with .*learning_rate.* failed: no batch"
    ):
        search(fails, max_trials=2)


def test_a_search_without_any_number_has_no_best_trial(search):
    with pytest.raises(RuntimeError, match="no trial had a number as its objective"):
        search(lambda _: {"click": float("nan"), "ratio": float("nan")}, max_trials=2)
