"""`fulcrum run` on simulated logs, with all real parts."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.integration.ended_run import EndedRun, run_command, states_of

if TYPE_CHECKING:
    from pipeline.report.data.run_data import RunData

pytestmark = [pytest.mark.slow, pytest.mark.tensorflow]

# A few thousand lines are too few to ask for much.
LENIENT = [
    "tasks.vcr.threshold=1.0",
    *(f"tasks.{task}.threshold=0.2" for task in ("vtr", "shr", "cmr", "ctr")),
]
LENIENT += [f"tasks.{task}.tolerance=1.0" for task in ("vtr", "vcr", "shr", "cmr", "ctr")]
SMALL = [
    "model.levels=1",
    "model.expert_units=[16]",
    "model.tower_units=[8]",
    "trainer.batch_size=256",
]

BEFORE_TRAINING = [
    "LogsExampleGen",
    "SpecSchema",
    "StatisticsGen",
    "ExampleValidator",
    "AnomalyGate",
    "Transform",
]


@dataclass(frozen=True)
class Project:
    """A user's logs and pipeline root."""

    logs: Path
    root: Path

    def arguments(self, *overrides: str) -> list[str]:
        settings = [
            part for override in (*LENIENT, *SMALL, *overrides) for part in ("--set", override)
        ]
        return [
            "run",
            "--spec",
            "short_video",
            "--logs",
            str(self.logs),
            "--root",
            str(self.root),
            *settings,
        ]

    def run(self, *overrides: str) -> EndedRun:
        return run_command(self.arguments(*overrides), self.root.with_suffix(".json"))

    def versions(self) -> list[int]:
        return sorted(int(name) for name in os.listdir(self.root / "serving_model"))


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    from pipeline.simulator.simulate import simulate_logs
    from pipeline.simulator.simulation_config import SimulationSettings

    folder = tmp_path_factory.mktemp("project")
    simulate_logs(
        SimulationSettings(days=3, rows_per_day=1500, seed=5, malformed_share=0.05), folder / "logs"
    )
    return Project(logs=folder / "logs", root=folder / "root")


@dataclass(frozen=True)
class Story:
    """What a user does, one after the other, on one root; each with the versions that were there afterwards."""

    first: EndedRun
    first_versions: Sequence[int]
    again: EndedRun
    again_versions: Sequence[int]
    removed: EndedRun
    removed_versions: Sequence[int]
    more_epochs: EndedRun
    more_epochs_versions: Sequence[int]
    unreachable: EndedRun
    unreachable_versions: Sequence[int]
    too_slow: EndedRun
    still_too_slow: EndedRun
    too_slow_versions: Sequence[int]
    incomplete_field: EndedRun
    no_logs: EndedRun


@pytest.fixture(scope="module")
def story(project: Project) -> Story:
    first, first_versions = project.run("trainer.epochs=1"), project.versions()
    again, again_versions = project.run("trainer.epochs=1"), project.versions()
    shutil.rmtree(project.root / "serving_model")
    removed, removed_versions = project.run("trainer.epochs=1"), project.versions()
    more_epochs, more_epochs_versions = project.run("trainer.epochs=2"), project.versions()
    unreachable = project.run("trainer.epochs=2", "tasks.ctr.threshold=0.999")
    unreachable_versions = project.versions()
    too_slow = project.run("trainer.epochs=2", "serving.latency_budget_ms=0.001")
    still_too_slow = project.run("trainer.epochs=2", "serving.latency_budget_ms=0.001")
    too_slow_versions = project.versions()
    return Story(
        first=first,
        first_versions=first_versions,
        again=again,
        again_versions=again_versions,
        removed=removed,
        removed_versions=removed_versions,
        more_epochs=more_epochs,
        more_epochs_versions=more_epochs_versions,
        unreachable=unreachable,
        unreachable_versions=unreachable_versions,
        too_slow=too_slow,
        still_too_slow=still_too_slow,
        too_slow_versions=too_slow_versions,
        incomplete_field=project.run("trainer.epochs=1", "fields.age_group.min_presence=1.0"),
        no_logs=Project(logs=project.root, root=project.root).run("trainer.epochs=1"),
    )


def test_the_first_run_blesses_and_pushes_a_model(story: Story) -> None:
    assert story.first.exit_code == 0
    assert story.first.summary["status"] == "pushed"
    assert story.first_versions == [story.first.summary["version"]]
    assert set(story.first.states.values()) == {"done"}


def test_the_lines_of_the_log_are_the_examples_and_the_rejected(story: Story) -> None:
    ingestion = story.first.summary["ingestion"]
    rejected = sum(ingestion["rejected"].values())
    assert ingestion["lines"] == 4500
    assert rejected > 0
    assert sum(ingestion["examples"].values()) + rejected == 4500


def test_each_task_is_judged_on_as_many_examples_as_ingestion_put_into_its_sample_space(
    story: Story,
) -> None:
    judged = {task["task"]: task["example_count"] for task in story.first.summary["tasks"]}
    ingested = {
        task: splits["evaluation"]["examples"]
        for task, splits in story.first.summary["ingestion"]["tasks"].items()
    }
    assert judged == ingested
    assert judged["shr"] < judged["vtr"]


def test_what_libraries_print_is_in_the_log_and_not_on_the_terminal(story: Story) -> None:
    assert " absl: " in Path(story.first.summary["log"]).read_text(encoding="utf-8")
    assert "absl" not in story.first.output


def test_a_second_run_reuses_every_step_and_pushes_nothing(story: Story) -> None:
    assert story.again.exit_code == 0
    done = {node for node, state in story.again.states.items() if state == "done"}
    assert done == {"Baseline", "Pusher", "RunReport"}  # They look at what there is.
    assert story.again_versions == story.first_versions
    assert story.again.summary["newly_pushed"] is False
    assert story.again.summary["tasks"] == story.first.summary["tasks"]


def test_a_model_whose_pushed_version_was_removed_is_pushed_again_without_training(
    story: Story,
) -> None:
    assert story.removed.states["Trainer"] == "cached"
    assert story.removed.summary["newly_pushed"] is True
    assert len(story.removed_versions) == 1


def test_another_number_of_epochs_repeats_training_and_what_follows_only(story: Story) -> None:
    assert [
        node for node, state in story.more_epochs.states.items() if state == "cached"
    ] == BEFORE_TRAINING
    assert story.more_epochs.states["Trainer"] == "done"


def test_the_next_model_is_compared_with_the_blessed_one_and_becomes_the_newest_version(
    story: Story,
) -> None:
    before = {task["task"]: task["metrics"] for task in story.first.summary["tasks"]}
    for task in story.more_epochs.summary["tasks"]:
        # Beam batches as it likes, and rounding may move a score over one of the thresholds that
        # the AUC is made of.
        assert task["baseline_metrics"] == pytest.approx(before[task["task"]], abs=1e-3)
    assert story.more_epochs_versions == [
        *story.removed_versions,
        story.more_epochs.summary["version"],
    ]


def test_a_model_below_a_threshold_is_refused_with_the_task_and_the_reason(story: Story) -> None:
    assert story.unreachable.exit_code == 3
    assert story.unreachable.summary["status"] == "refused"
    refusing = {
        task["task"]: task["refusals"]
        for task in story.unreachable.summary["tasks"]
        if task["refusals"]
    }
    assert list(refusing) == ["ctr"]
    assert f"ctr: {refusing['ctr'][0]}" in story.unreachable.output
    assert "is below the threshold 0.999" in refusing["ctr"][0]


def test_a_refused_model_is_not_pushed(story: Story) -> None:
    assert story.unreachable.summary["version"] is None
    assert story.unreachable_versions == story.more_epochs_versions


def test_a_changed_threshold_repeats_the_evaluation_only(story: Story) -> None:
    cached = [node for node, state in story.unreachable.states.items() if state == "cached"]
    assert cached == [*BEFORE_TRAINING, "Trainer", "ModelInsight"]
    assert story.unreachable.summary["push_check"] is None


def test_a_pushed_version_was_served_and_scored_as_the_trainers_export(story: Story) -> None:
    check = story.first.summary["push_check"]
    assert check["refusals"] == []
    # 5 users with each of 3 numbers of candidates, and the examples themselves.
    assert check["compared_requests"] == 16
    assert check["largest_difference"] < 1e-5
    assert "scores differ from the trainer's by" in story.first.output


def test_a_pushed_version_carries_warm_up_requests_for_every_signature(
    story: Story, project: Project
) -> None:
    import collections

    import tensorflow as tf
    from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog

    version = project.root / "serving_model" / str(story.more_epochs.summary["version"])
    records = tf.data.TFRecordDataset(str(version / "assets.extra" / "tf_serving_warmup_requests"))
    logs = [PredictionLog.FromString(record.numpy()).predict_log.request for record in records]
    asked = collections.Counter(request.model_spec.signature_name for request in logs)
    assert asked == {
        "inspect": 1,
        "rank": 3,
        "rank_top_k": 3,
        "serving_default": 1,
        "transform_features": 1,
    }
    assert asked.keys() == tf.saved_model.load(str(version)).signatures.keys()


def test_a_version_beyond_its_latency_budget_is_refused_with_how_much(story: Story) -> None:
    assert story.too_slow.exit_code == 3
    assert story.too_slow.summary["status"] == "refused"
    [refusal, *_] = story.too_slow.summary["push_check"]["refusals"]
    assert refusal in story.too_slow.output
    assert "is above serving.latency_budget_ms 0.001 by " in refusal
    assert story.too_slow_versions == story.more_epochs_versions


def test_a_refusal_of_a_slow_machine_is_measured_anew_and_no_step_before_it(story: Story) -> None:
    done = [node for node, state in story.still_too_slow.states.items() if state == "done"]
    assert done == ["Baseline", "PushCheck", "Pusher", "RunReport"]
    assert story.still_too_slow.exit_code == 3


def test_anomalies_stop_the_run_before_training_with_a_table(story: Story) -> None:
    assert story.incomplete_field.exit_code == 1
    failure = story.incomplete_field.summary["failure"]
    assert failure["node"] == "AnomalyGate"
    assert failure["cause"] == "AnomaliesFoundError: 3 anomalies in the examples, of age_group"
    assert failure["cause"] in story.incomplete_field.output
    assert [line.split()[:3] for line in failure["details"].splitlines()[1:]] == [
        ["age_group", split, "ERROR"] for split in ("train", "validation", "evaluation")
    ]
    assert "Transform" not in story.incomplete_field.states


def test_a_failed_node_is_named_with_its_cause_in_one_line(story: Story) -> None:
    assert story.no_logs.exit_code == 1
    failure = story.no_logs.summary["failure"]
    assert failure["node"] == "LogsExampleGen"
    assert f"Failed: LogsExampleGen: {failure['cause']}" in story.no_logs.output
    assert "Traceback (most recent call last)" in Path(story.no_logs.summary["log"]).read_text(
        encoding="utf-8"
    )


def reported(project: Project, number: int) -> RunData:
    """The run as `fulcrum report --run` shows it."""
    from pipeline.report.run_lookup import find_run

    return find_run(str(project.root), number)


def test_a_run_leaves_a_report_of_itself(story: Story, project: Project) -> None:
    from pipeline.report.elements.page import run_of_page

    pages = sorted(
        (project.root / "artifacts" / "RunReport" / "report").glob("*/report.html"),
        key=lambda path: int(path.parent.name),
    )
    kept = run_of_page(pages[0])
    assert (kept.outcome, kept.version) == ("pushed", story.first.summary["version"])
    assert [verdict.task for verdict in kept.evaluation.tasks] == [
        task["task"] for task in story.first.summary["tasks"]
    ]
    assert kept == dataclasses.replace(reported(project, 1), name="short_video")


def test_a_report_tells_what_the_model_learnt_and_what_the_formulas_weights_decide(
    story: Story, project: Project
) -> None:
    run = reported(project, 1)
    assert list(run.curves["loss"]) == [(1, pytest.approx(run.curves["loss"][0][1]))]
    evaluated = story.first.summary["ingestion"]["examples"]["evaluation"]
    assert run.insight["inspection"]["examples"] == evaluated
    effects = run.insight["weight_effects"]
    assert effects["exposures"] <= evaluated
    assert {(effect["name"], effect["factor"]) for effect in effects["effects"]} == {
        (name, factor)
        for name in ("vtr", "vcr", "shr", "cmr", "ctr", "duration")
        for factor in (0.0, 0.5, 1.5)
    }


def test_a_refused_run_has_a_report_that_says_why(story: Story, project: Project) -> None:
    run = reported(project, 5)
    assert run.outcome == "refused"
    assert any(
        refusal.startswith("ctr: auc ") and "is below the threshold 0.999" in refusal
        for refusal in run.refusals
    )


def test_a_failed_run_has_a_report_of_what_there_is(story: Story, project: Project) -> None:
    run = reported(project, 8)
    assert run.outcome == "failed"
    assert (run.failure.component, run.failure.cause) == (
        "AnomalyGate",
        story.incomplete_field.summary["failure"]["cause"],
    )
    assert {anomaly.feature for anomaly in run.anomalies} == {"age_group"}
    assert run.ingestion.model_dump(mode="json") == story.first.summary["ingestion"]
    assert run.evaluation is None


_COMMAND = (
    "import typer; from pipeline.commands import add_to; app = typer.Typer(); add_to(app); app()"
)


@dataclass(frozen=True)
class Killed:
    """A run that was killed while it trained, a run that was tried meanwhile, and the same command afterwards."""

    meanwhile: EndedRun
    unfinished: list[str]
    resumed: subprocess.CompletedProcess[str]
    summary: dict[str, Any]


@pytest.fixture(scope="module")
def killed(project: Project, story: Story, tmp_path_factory: pytest.TempPathFactory) -> Killed:
    json_file = tmp_path_factory.mktemp("killed") / "summary.json"
    # Patience keeps it training for longer than the kill takes.
    arguments = project.arguments("trainer.epochs=12", "trainer.patience=12", "trainer.seed=7")
    command = [sys.executable, "-c", _COMMAND, *arguments, "--json", str(json_file)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    for line in process.stdout:
        if "epoch 2:" in line:
            break
    meanwhile = project.run("trainer.epochs=1")
    process.send_signal(signal.SIGKILL)
    process.wait()
    unfinished = [path.name for path in (project.root / "checkpoints").iterdir()]
    resumed = subprocess.run(command, capture_output=True, text=True, check=False)
    return Killed(meanwhile, unfinished, resumed, json.loads(json_file.read_text(encoding="utf-8")))


def test_a_second_run_on_a_root_in_use_is_refused(killed: Killed) -> None:
    assert killed.meanwhile.exit_code == 1
    assert "another run (process" in killed.meanwhile.output


def test_a_killed_training_goes_on_from_its_checkpoint_to_a_blessed_model(killed: Killed) -> None:
    assert len(killed.unfinished) == 1
    assert killed.resumed.returncode == 0, killed.resumed.stdout
    assert "resumes after epoch" in killed.resumed.stdout
    assert "epoch 1:" not in killed.resumed.stdout
    assert killed.summary["status"] == "pushed"


def test_a_run_after_a_kill_reuses_the_finished_steps(killed: Killed) -> None:
    assert [
        node for node, state in states_of(killed.summary).items() if state == "cached"
    ] == BEFORE_TRAINING


def test_checkpoints_are_removed_after_training(killed: Killed, project: Project) -> None:
    assert killed.resumed.returncode == 0
    assert list((project.root / "checkpoints").iterdir()) == []


@pytest.fixture(scope="module")
def evaluation_examples(story: Story, project: Project) -> list[Any]:
    """The examples that the newest version was judged on."""
    import tensorflow as tf

    folder = max(
        (project.root / "artifacts" / "LogsExampleGen" / "examples").glob("[0-9]*"),
        key=lambda path: int(path.name),
    )
    files = [str(path) for path in (folder / "Split-evaluation").glob("*")]
    return [
        tf.train.Example.FromString(data.numpy())
        for data in tf.data.TFRecordDataset(files, compression_type="GZIP")
    ]


@pytest.fixture(scope="module")
def scores(story: Story, project: Project, evaluation_examples: list[Any]) -> dict[str, Any]:
    """What `serving_default` of the newest version says of them."""
    import tensorflow as tf

    model = tf.saved_model.load(
        str(project.root / "serving_model" / str(story.more_epochs.summary["version"]))
    )
    answer = model.signatures["serving_default"](
        tf.constant([example.SerializeToString() for example in evaluation_examples])
    )
    return {name: values.numpy() for name, values in answer.items()}


def _floats(examples: list[Any], feature: str) -> Any:
    import numpy as np

    return np.array([example.features.feature[feature].float_list.value[0] for example in examples])


def test_the_evaluators_figures_follow_from_the_pushed_models_own_scores(
    story: Story, evaluation_examples: list[Any], scores: dict[str, Any]
) -> None:
    import numpy as np

    for row in story.more_epochs.summary["tasks"]:
        task = row["task"]
        valid = _floats(evaluation_examples, f"mask_of_{task}") > 0
        label, score = (
            _floats(evaluation_examples, f"label_of_{task}")[valid],
            scores[task][valid].astype(np.float64),
        )
        # Means over all valid rows: a score that differed anywhere would show.
        if task == "vcr":
            assert row["metrics"]["mse"] == pytest.approx(np.mean((label - score) ** 2), rel=1e-5)
        else:
            expected = -np.mean(label * np.log(score) + (1 - label) * np.log(1 - score))
            assert row["metrics"]["log_loss"] == pytest.approx(expected, rel=1e-5)


def test_a_ranking_request_over_grpc_scores_as_the_stored_example_does(
    project: Project,
    story: Story,
    evaluation_examples: list[Any],
    scores: dict[str, Any],
    tmp_path: Path,
) -> None:
    from feature_spec.loading import load_spec
    from serving.client.ranking_client import RankingClient
    from serving.client.types import Candidate, RankingRequest
    from serving.model_server.server import LocalModelServer
    from serving.model_server.versions.served_model import ServedModel

    spec = load_spec("short_video")
    # Other tests push further versions into the root.
    version = str(story.more_epochs.summary["version"])
    shutil.copytree(project.root / "serving_model" / version, tmp_path / "serving_model" / version)

    def values(example: Any, *sides: str) -> dict[str, Any]:
        found = {}
        for name in spec.fields_of(*sides):
            feature = example.features.feature[name]
            kind = feature.WhichOneof("kind")
            if kind == "float_list":
                found[name] = feature.float_list.value[0]
            elif kind == "bytes_list":
                texts = [text.decode() for text in feature.bytes_list.value]
                found[name] = (
                    texts
                    if spec.fields[name].kind in ("multi_categorical", "sequence")
                    else texts[0]
                )
        return found

    with (
        LocalModelServer([ServedModel(tmp_path)], port=0) as server,
        RankingClient(server.target, spec, timeout_ms=30_000) as client,
    ):
        for position, example in enumerate(evaluation_examples[:40]):
            request = RankingRequest(
                user=values(example, "user"),
                context=values(example, "context"),
                candidates=[Candidate(fields=values(example, "item"))],
            )
            (ranked,) = client.rank(request)
            for task in spec.tasks:
                assert ranked.scores[task] == pytest.approx(
                    float(scores[task][position]), rel=1e-5, abs=1e-6
                )
            assert ranked.ranking_score == pytest.approx(
                float(scores["ranking_score"][position]), rel=1e-4
            )
