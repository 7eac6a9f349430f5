"""What the pipeline hands over becomes a job."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

pytest.importorskip("tensorflow")
import trainer.run
from trainer.settings.train_config import parse_settings

pytestmark = pytest.mark.tensorflow


@pytest.fixture
def job(monkeypatch):
    """The job that `run_fn` trains, given hyperparameters as the Tuner writes them."""

    def made(hyperparameters):
        jobs = []
        monkeypatch.setattr(trainer.run, "train", jobs.append)
        settings = parse_settings(
            {"name": "ple", "expert_units": [32]}, {"epochs": 7}
        ).model_dump_json()
        trainer.run.run_fn(
            SimpleNamespace(
                custom_config={"spec": "name: x", "settings": settings, "checkpoint_folder": "kept"},
                train_files=["train"], eval_files=["validation"], transform_graph_path="graph",
                serving_model_dir="model", model_run_dir="curves", hyperparameters=hyperparameters, base_model=None,
            )
        )  # fmt: skip
        return jobs[0]

    return made


def test_settings_are_those_of_the_pipeline(job):
    assert job(None).settings.trainer.epochs == 7
    assert job(None).checkpoints == "kept"


def test_the_best_trial_of_a_search_changes_what_it_searched_for(job):
    given = {"space": [], "values": {"trainer.learning_rate": 0.25, "model.expert_units": "[8, 4]"}}
    settings = job(given).settings
    assert settings.trainer.learning_rate == 0.25
    assert settings.model.expert_units == [8, 4]
    assert settings.trainer.epochs == 7
