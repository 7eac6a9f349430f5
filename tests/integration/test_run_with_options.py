"""`fulcrum run` with what a user may ask for beside the usual steps, on two small tasks."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from feature_spec.artifacts.calibration import CALIBRATION_FILE, CalibrationReport
from tests.integration.ended_run import EndedRun, run_command

pytestmark = [pytest.mark.slow, pytest.mark.tensorflow]

SPEC = """
name: tiny
keys: {user: user}
logs: {exposures: {path: "*.jsonl", format: jsonl}}
split: {evaluation_files: ["evaluation.jsonl"], validation_share: 0.2}
fields:
  user: {side: user, kind: categorical, width: 4}
  region: {side: user, kind: categorical, width: 4}
  item: {side: item, kind: categorical, width: 4}
  length_s: {side: item, kind: numeric}
tasks:
  click: {kind: binary, label: {rule: event, column: clicked}, metric: auc, threshold: 0.1, tolerance: 1.0}
  watch: {kind: regression, label: {rule: column, column: watched}, metric: mse, threshold: 10.0, tolerance: 10.0, quantile_within: region}
ranking_formula: {weights: {click: 1.0}}
model: {name: shared_bottom, bottom_units: [4], tower_units: []}
trainer: {epochs: 1, batch_size: 64}
tuner: {max_trials: 2, search: {trainer.learning_rate: {values: [0.001, 0.003]}, model.bottom_units: {values: [[4], [2]]}}}
drift: {stops_run: true, thresholds: {region: {l_infinity: 0.3}}}
serving: {candidate_counts: [1], latency_budget_ms: 10_000}
calibration: {method: isotonic, by: region, within: [0.5, 2.0]}
"""


def write_logs(folder: Path, regions: Sequence[str] = ("north", "south")) -> None:
    chance = random.Random(1)
    folder.mkdir(exist_ok=True)
    for name, count in (("train", 600), ("evaluation", 200)):
        rows = []
        for _ in range(count):
            user, item = chance.randrange(20), chance.randrange(15)
            liking = (user % 4 + item % 3) / 5
            rows.append({
                "user": f"u{user}", "region": chance.choice(regions), "item": f"i{item}",
                "length_s": chance.gauss(30, 5), "clicked": chance.random() < liking, "watched": liking,
            })  # fmt: skip
        (folder / f"{name}.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")


def run(folder: Path, *arguments: str) -> EndedRun:
    given = [
        "--spec",
        str(folder / "spec.yaml"),
        "--logs",
        str(folder / "logs"),
        "--root",
        str(folder / "root"),
    ]
    return run_command(["run", *given, *arguments], folder / "summary.json")


@dataclass(frozen=True)
class Story:
    """What a user does, one after the other, on one root."""

    folder: Path
    first: EndedRun
    again: EndedRun
    without: EndedRun
    drifted: EndedRun


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Story:
    folder = tmp_path_factory.mktemp("options")
    (folder / "spec.yaml").write_text(SPEC, encoding="utf-8")
    write_logs(folder / "logs")
    options = ["--tune", "--with-single-task"]
    first = run(folder, *options)
    again, without = run(folder, *options), run(folder, "--tune")
    write_logs(folder / "logs", regions=["north"])
    return Story(
        folder=folder, first=first, again=again, without=without, drifted=run(folder, "--tune")
    )


def test_the_model_is_compared_with_a_network_a_task_after_its_push(story: Story) -> None:
    assert story.first.exit_code == 0
    assert list(story.first.states)[-5:] == [
        "Pusher",
        "ModelInsight",
        "SingleTaskTrainer",
        "MtlGain",
        "RunReport",
    ]
    judged = {
        task["task"]: task["metrics"][task["metric"]] for task in story.first.summary["tasks"]
    }
    gains = {gain["task"]: gain for gain in story.first.summary["mtl_gain"]["tasks"]}
    # The Evaluator measures the same model by the same metric on the same examples.
    assert {task: gain["together"] for task, gain in gains.items()} == pytest.approx(
        judged, abs=1e-6
    )
    assert gains["click"]["gain"]["value"] == pytest.approx(
        gains["click"]["together"] - gains["click"]["alone"]
    )
    assert gains["watch"]["gain"]["value"] == pytest.approx(
        gains["watch"]["alone"] - gains["watch"]["together"]
    )
    assert "MTL gain (PLE, Eq 11)" in story.first.output


def test_the_pushed_model_is_calibrated_on_its_validation_examples(story: Story) -> None:
    [version] = (story.folder / "root" / "serving_model").iterdir()
    report = CalibrationReport.model_validate_json((version / CALIBRATION_FILE).read_bytes())
    [click] = report.tasks
    assert (report.by, click.task, click.method, click.not_fitted) == (
        "region",
        "click",
        "isotonic",
        "",
    )
    assert click.curve is not None
    assert {shift.value for shift in click.shifts} == {"north", "south"}
    assert sum(shift.examples for shift in click.shifts) == click.examples
    page = (story.folder / "root" / "artifacts" / "RunReport").glob("report/*/report.html")
    assert all("What the calibration changed" in one.read_text(encoding="utf-8") for one in page)


def test_predicted_quantiles_are_served_and_judged_in_the_labels_own_unit(story: Story) -> None:
    """Labels lie between 0 and 1, in tenths of about one half; errors of quantiles would be larger."""
    watch = next(task for task in story.first.summary["tasks"] if task["task"] == "watch")
    assert watch["metrics"]["normalized_mse"] < 2.0


def test_the_gain_is_an_artifact_that_programs_read(story: Story) -> None:
    [file] = (story.folder / "root" / "artifacts" / "MtlGain" / "gain").glob("*/mtl_gain.json")
    assert json.loads(file.read_text(encoding="utf-8")) == story.first.summary["mtl_gain"]


def test_an_unchanged_second_run_trains_nothing(story: Story) -> None:
    done = {node for node, state in story.again.states.items() if state == "done"}
    assert done == {"PreviousStatistics", "Baseline", "Pusher", "RunReport"}
    assert story.again.summary["mtl_gain"] == story.first.summary["mtl_gain"]


def test_the_trainer_takes_the_best_trial_of_the_search(story: Story) -> None:
    tuning = story.first.summary["tuning"]
    assert len(tuning["trials"]) == 2
    assert tuning["own"]["values"] == {"trainer.learning_rate": 0.001, "model.bottom_units": [4]}
    assert tuning["best"]["objective"] == max(trial["objective"] for trial in tuning["trials"])
    [file] = (story.folder / "root" / "artifacts" / "Tuner" / "best_hyperparameters").glob(
        "*/best_hyperparameters.txt"
    )
    given = json.loads(file.read_text(encoding="utf-8"))["values"]
    assert json.loads(given["model.bottom_units"]) == tuning["best"]["values"]["model.bottom_units"]
    assert (
        f"Tuned for smallest_mtl_gain in 2 trials: {tuning['best']['objective']:.5f}"
        in story.first.output
    )


def test_without_the_option_nothing_is_trained_alone_and_the_model_is_the_same(
    story: Story,
) -> None:
    assert "SingleTaskTrainer" not in story.without.states
    assert story.without.summary["mtl_gain"] is None
    assert story.without.states["Evaluator"] == "cached"
    assert story.without.summary["version"] == story.first.summary["version"]


def test_the_first_run_has_no_drift_to_speak_of(story: Story) -> None:
    assert story.first.summary["drift"] == {"is_compared": False, "fields": []}
    assert "Drift: no earlier run on other examples has pushed a model" in story.first.output


def test_examples_that_have_drifted_stop_the_run_before_it_trains(story: Story) -> None:
    assert story.drifted.exit_code == 1
    assert story.drifted.summary["failure"]["node"] == "DriftGate"
    assert "Transform" not in story.drifted.states
    [region] = story.drifted.summary["drift"]["fields"]
    # About half of the examples were from the north, and now all are.
    assert region["distance"] == pytest.approx(0.5, abs=0.1)
    assert "in region" in story.drifted.output
    assert "threshold 0.3" in story.drifted.output


def test_no_checkpoints_are_left(story: Story) -> None:
    assert list((story.folder / "root" / "checkpoints").iterdir()) == []
