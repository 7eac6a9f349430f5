"""Two processes that share each batch end where one process over the whole batch does, though one of them was killed meanwhile."""

from __future__ import annotations

import json
import os
import pickle
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

pytestmark = [pytest.mark.tensorflow, pytest.mark.slow]

EPOCHS, LAST_EPOCH = 3, 2
# Of the last batch of 64, worker 0 gets 18 rows and worker 1 none.
VALIDATION_ROWS = 210


def free_addresses(number: int) -> list[str]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(number)]
    addresses = [f"127.0.0.1:{one.getsockname()[1]}" for one in sockets]
    for one in sockets:
        one.close()
    return addresses


@dataclass
class Worker:
    """What became of a process."""

    exit_code: int
    error: str
    results: dict


def run_workers(
    folder: Path, given: dict, last_epochs: tuple[int | None, int | None]
) -> list[Worker]:
    """Start two workers; return how they ended. One that loses the other ends by itself."""
    addresses = free_addresses(2)
    processes, results = [], []
    for index, last_epoch in enumerate(last_epochs):
        job, result = folder / f"job-{index}.pickle", folder / f"result-{index}.pickle"
        job.write_bytes(pickle.dumps({**given, "folder": str(folder), "last_epoch": last_epoch}))
        tf_config = {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": index}}
        root = Path(__file__).parents[3]
        program = str(Path(__file__).with_name("workers_program.py"))
        environment = {
            **os.environ,
            "PYTHONPATH": str(root),
            "CUDA_VISIBLE_DEVICES": "",
            "TF_CPP_MIN_LOG_LEVEL": "3",
            "TF_CONFIG": json.dumps(tf_config),
        }
        with (folder / f"error-{index}.txt").open("w") as error:
            command = [sys.executable, program, str(job), str(result)]
            processes.append(subprocess.Popen(command, env=environment, stderr=error))
        results.append(result)
    try:
        for process in processes:
            process.wait()
    finally:
        for process in processes:
            process.kill()
    errors = [(folder / f"error-{index}.txt").read_text() for index in range(2)]
    return [
        Worker(
            process.returncode, error, pickle.loads(result.read_bytes()) if result.exists() else {}
        )
        for process, error, result in zip(processes, errors, results, strict=True)
    ]


@dataclass
class Story:
    """A cluster of which a worker is killed, the same cluster started again, and one process that trained alone."""

    killed: list[Worker]
    again: list[Worker]
    alone: dict
    features: dict
    folder: Path


@pytest.fixture(scope="module")
def story(layout, tasks, unevenly_masked, tmp_path_factory):
    from tests.trainer.fixed_order import FixedOrder
    from trainer.fit import fitting
    from trainer.settings.train_config import parse_settings

    folder = tmp_path_factory.mktemp("workers")
    trainer = {"batch_size": 64, "patience": 9, "loss_weight_clock": "step"}
    runs = {
        # A penalty counts once.
        "killed": (
            {"name": "sluice", "layers": 1, "units": 8, "orthogonality": 1.0},
            {"epochs": EPOCHS},
        ),
        # GradNorm needs the gradients and losses of the whole batch.
        "balanced": (
            {"name": "mmoe", "experts": 2, "expert_units": [8]},
            {"epochs": 1, "balancing": "gradnorm"},
        ),
    }

    def settings_with(strategy):
        return {
            name: parse_settings(
                {"tower_units": [8], **model}, {**trainer, **own, "strategy": strategy}
            )
            for name, (model, own) in runs.items()
        }

    given = {
        "layout": layout,
        "tasks": tasks,
        "features": unevenly_masked,
        "runs": settings_with("multi_worker"),
    }
    given["validation_rows"] = VALIDATION_ROWS
    # The chief, whose loss is the harder one, and noticed at once; another worker's silence is,
    # after ten seconds.
    killed = run_workers(folder, given, (LAST_EPOCH, None))
    again = run_workers(folder, given, (None, None))
    assert [worker.exit_code for worker in again] == [0, 0], "\n".join(
        worker.error[-3000:] for worker in again
    )
    train = FixedOrder(unevenly_masked)
    validation = FixedOrder(
        {name: values[:VALIDATION_ROWS] for name, values in unevenly_masked.items()}
    )
    alone, kept = {}, []

    class Watched(fitting.EarlyStopping):
        def __init__(self, *arguments, **named):
            super().__init__(*arguments, **named)
            kept.append(self)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fitting, "EarlyStopping", Watched)
        for name, settings in settings_with("none").items():
            network = fitting.fit(
                layout,
                tasks,
                settings,
                train,
                validation,
                checkpoint_folder=folder / name / "alone",
            )
            alone[name] = {"weights": network.get_weights(), "history": kept[-1].history}
    return Story(killed, again, alone, unevenly_masked, folder)


def test_a_worker_that_loses_another_ends_and_says_what_to_do(story):
    chief, other = story.killed
    assert chief.exit_code == -9
    assert other.exit_code == 1
    last_line = other.error.strip().splitlines()[-1]
    assert last_line.startswith(
        "trainer.distribute.worker_failure.WorkerLostError: training with the other workers broke off"
    )
    assert "Start all of them again" in other.error


@pytest.mark.parametrize("run", ["killed", "balanced"])
def test_two_workers_report_the_losses_and_metrics_of_one_process(story, run):
    for worker in story.again:
        history = worker.results[run]["history"]
        expected = story.alone[run]["history"][-len(history) :]
        for received, alone in zip(history, expected, strict=True):
            assert received == pytest.approx(alone, abs=1e-5)
    assert len(story.again[0].results["balanced"]["history"]) == 1


@pytest.mark.parametrize("run", ["killed", "balanced"])
def test_two_workers_take_the_steps_of_one_process(story, run):
    for worker in story.again:
        for received, expected in zip(
            worker.results[run]["weights"], story.alone[run]["weights"], strict=True
        ):
            np.testing.assert_allclose(received, expected, atol=2e-5)


def test_workers_that_were_started_again_go_on_after_the_last_finished_epoch(story):
    # The first two of three epochs were finished when the chief was killed.
    for worker in story.again:
        assert len(worker.results["killed"]["history"]) == EPOCHS - LAST_EPOCH


def test_only_the_chief_keeps_curves(story):
    assert list((story.folder / "balanced" / "result-0").rglob("events*"))
    assert not (story.folder / "balanced" / "result-1").exists()


def test_what_two_workers_trained_is_saved_for_one_process(story):
    import tensorflow as tf

    saved = tf.saved_model.load(str(story.folder / "balanced" / "saved"))
    logits = saved.logits({name: tf.constant(values) for name, values in story.features.items()})
    for task, expected in story.again[0].results["balanced"]["logits"].items():
        np.testing.assert_allclose(logits[task], expected, atol=1e-5)
