"""A training as a file that workers wait for."""

from __future__ import annotations

import re
import threading

import pytest

from trainer.inputs.training_job import NoJobError, TrainingJob, awaited_job
from trainer.settings.train_config import parse_settings


def job(folder, **changes):
    paths = {
        "transform_graph": "graph",
        "checkpoints": str(folder),
        "model": "model",
        "curves": "curves",
    }
    return TrainingJob(
        **{
            "spec": "s",
            "settings": parse_settings({}, {}),
            "train_files": ["t"],
            "validation_files": ["v"],
            **paths,
            **changes,
        }
    )


def test_a_worker_gets_the_job_that_the_chief_publishes_while_it_waits(tmp_path):
    chief = threading.Timer(0.2, job(tmp_path).publish)
    chief.start()
    assert awaited_job(tmp_path) == job(tmp_path)


def test_a_worker_that_waits_says_so(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr("trainer.inputs.training_job._POLL_S", 0.01)
    monkeypatch.setattr("trainer.inputs.training_job._REMINDER_S", 0.0)
    caplog.set_level("INFO", logger="fulcrum.trainer")
    with pytest.raises(NoJobError):
        awaited_job(tmp_path, wait_s=0.1)
    assert "still waits for the chief" in caplog.text
    assert f"{tmp_path / 'job.json'} does not exist" in caplog.text
    assert "`fulcrum run --set trainer.strategy=multi_worker`" in caplog.text


def test_a_worker_does_not_wait_for_ever(tmp_path):
    with pytest.raises(NoJobError, match=r"within 0 s: .*job.json does not exist"):
        awaited_job(tmp_path, wait_s=0)


@pytest.mark.parametrize(
    ("own", "of_another_version", "reason"),
    [
        ('"name": "ple"', '"name": "plee"', "no such model 'plee': did you mean 'ple'?"),
        ('"name": "ple",', "", "no such model None"),
        ('"spec": "s"', '"text": "s"', "unknown key 'text'"),
    ],
)
def test_a_job_of_another_version_is_refused(own, of_another_version, reason, tmp_path):
    path = job(tmp_path).publish()
    text = path.read_text(encoding="utf-8")
    assert own in text
    path.write_text(text.replace(own, of_another_version), encoding="utf-8")
    with pytest.raises(NoJobError, match=rf"(?s)job\.json.*{re.escape(reason)}") as error:
        awaited_job(tmp_path, wait_s=0)
    assert str(path) in str(error.value)
    assert "all workers need the chief's version" in str(error.value)


def test_only_the_same_training_goes_on_from_the_same_checkpoints(tmp_path):
    same = job(tmp_path, model="elsewhere", curves="elsewhere")
    assert same.own_checkpoints == job(tmp_path).own_checkpoints
    for change in (
        {"spec": "other"},
        {"settings": parse_settings({}, {"epochs": 3})},
        {"train_files": ["u"]},
        {"transform_graph": "other"},
    ):
        assert job(tmp_path, **change).key != job(tmp_path).key
