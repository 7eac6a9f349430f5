"""Two replicas that share each batch end where one replica over the whole batch does."""

from __future__ import annotations

import dataclasses
import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytestmark = [pytest.mark.tensorflow, pytest.mark.slow]

# Sluice has a penalty, which must count once. XLA compiles each model for each device: small ones
# take a fraction of the time.
EXPERTS = {"task_experts": 1, "shared_experts": 1, "expert_units": [8], "tower_units": []}
SMALL = {
    "ple": {"levels": 2, **EXPERTS},
    "sluice": {"layers": 1, "units": 8, "orthogonality": 1.0, "tower_units": []},
    "cgc": EXPERTS,
    "shared_bottom": {"bottom_units": [8], "tower_units": []},
}
# Ways that look at gradients meet tasks' own experts, which have none of the other tasks.
MODEL_OF = {
    "dwa": "ple",
    "uncertainty": "sluice",
    "famo": "shared_bottom",
    "stch": "shared_bottom",
    "gradnorm": "cgc",
    "pcgrad": "cgc",
}
# Their second task predicts how its label is distributed.
HEADS = {"famo": "quantiles", "stch": "ordinal"}
STOPPED, WITH_PENALTY = "dwa", "uncertainty"


@pytest.fixture(scope="module")
def results(layout, tasks, unevenly_masked, tmp_path_factory):
    from trainer.network.network_layout import HeadLayout
    from trainer.settings.train_config import parse_settings

    folder = tmp_path_factory.mktemp("replicas")
    runs = {}
    for way, model in MODEL_OF.items():
        for strategy in ("none", "mirrored"):
            trainer = {
                "batch_size": 64,
                "epochs": 2,
                "patience": 9,
                "strategy": strategy,
                "balancing": way,
                "loss_weight_clock": "step",
            }
            if way == STOPPED:
                trainer["average_steps"] = 3
            runs[f"{way}-{strategy}"] = [parse_settings({"name": model, **SMALL[model]}, trainer)]
    # The two replicas of one run stop after one epoch and go on.
    last = runs[f"{STOPPED}-mirrored"][0]
    runs[f"{STOPPED}-mirrored"].insert(
        0, last.model_copy(update={"trainer": last.trainer.model_copy(update={"epochs": 1})})
    )
    job, result = folder / "job.pickle", folder / "result.pickle"
    given = {
        "layout": layout,
        "tasks": tasks,
        "headed": {
            way: (
                dataclasses.replace(layout, heads={"ratio": HeadLayout(head, 20)}),
                tasks | {"ratio": tasks["ratio"].model_copy(update={"head": head})},
            )
            for way, head in HEADS.items()
        },
        "features": unevenly_masked,
        "runs": runs,
        "saved": f"{STOPPED}-mirrored",
    }
    job.write_bytes(pickle.dumps({**given, "folder": str(folder)}))
    program = Path(__file__).with_name("replicas_program.py")
    root = Path(__file__).parents[3]
    done = subprocess.run(
        [sys.executable, str(program), str(job), str(result)],
        env={**os.environ, "PYTHONPATH": str(root), "CUDA_VISIBLE_DEVICES": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return pickle.loads(result.read_bytes())


@pytest.mark.parametrize("way", MODEL_OF)
def test_two_replicas_take_the_steps_of_one_and_go_on_after_a_stop(results, way):
    one, two = results[f"{way}-none"], results[f"{way}-mirrored"]
    assert (one["replicas"], two["replicas"]) == (1, 2)
    for expected, received in zip(one["weights"], two["weights"], strict=True):
        np.testing.assert_allclose(received, expected, atol=5e-5)
    for expected, received in zip(one["balancing"], two["balancing"], strict=True):
        np.testing.assert_allclose(received, expected, rtol=1e-3)


@pytest.mark.parametrize("way", MODEL_OF)
def test_two_replicas_report_the_losses_and_metrics_of_one(results, way):
    one, two = results[f"{way}-none"]["history"], results[f"{way}-mirrored"]["history"]
    # The history of a run that went on begins there.
    assert len(two) == (1 if way == STOPPED else 2)
    for expected, received in zip(one[-len(two) :], two, strict=True):
        assert received == pytest.approx(expected, rel=1e-3)
        assert expected["loss_click"] > 0
        assert expected["loss_ratio"] > 0
        # PCGrad weighs gradients, and each step anew.
        assert ("balance_click" in expected) == (way != "pcgrad")


def test_a_penalty_is_reported_as_it_is(results):
    history = results[f"{WITH_PENALTY}-mirrored"]["history"]
    assert history[0]["loss"] == pytest.approx(
        sum(value for name, value in history[0].items() if name.startswith("loss_"))
    )
    assert history[0]["loss_orthogonality"] > 0


def test_what_two_replicas_trained_is_saved_for_one(results):
    import tensorflow as tf

    trained = results[f"{STOPPED}-mirrored"]
    saved = tf.saved_model.load(trained["saved"])
    features = pickle.loads((Path(trained["saved"]).parents[1] / "job.pickle").read_bytes())[
        "features"
    ]
    logits = saved.logits({name: tf.constant(values) for name, values in features.items()})
    for task, expected in trained["logits"].items():
        np.testing.assert_allclose(logits[task], expected, atol=1e-5)
