"""`fulcrum run` on simulated logs, with all real parts."""

from __future__ import annotations

import dataclasses
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.integration.ended_run import EndedRun, run_command

if TYPE_CHECKING:
    from pipeline.report.data.run_data import RunData

pytestmark = [pytest.mark.slow, pytest.mark.tensorflow]

# A few thousand lines are too few to ask for much, and a busy machine may be slow.
LENIENT = [
    "serving.latency_budget_ms=600_000",
    "tasks.vcr.threshold=1.0",
    # Of three days, none is to spare.
    "histories.warm_up_days=0",
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
    """A user's logs and pipeline root, and a copy of the root as the first run left it."""

    logs: Path
    root: Path
    kept: Path

    def arguments(self, *overrides: str) -> list[str]:
        settings = [
            part for override in (*LENIENT, *SMALL, *overrides) for part in ("--set", override)
        ]
        given = ["--spec", "short_video", "--logs", str(self.logs), "--root", str(self.root)]
        return ["run", *given, *settings]

    def run(self, *overrides: str) -> EndedRun:
        return run_command(self.arguments(*overrides), self.root.with_suffix(".json"))

    def versions(self) -> list[int]:
        return sorted(int(name) for name in os.listdir(self.root / "serving_model"))

    def report(self, number: int) -> RunData:
        """Return the run as `fulcrum report --run` shows it."""
        from pipeline.report.run_lookup import find_run

        return find_run(str(self.root), number)

    def restored(self) -> Project:
        """Bring the root back to what the first run left, at the same path, which artifacts name."""
        shutil.rmtree(self.root)
        shutil.copytree(self.kept, self.root)
        return self


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    from pipeline.simulator.simulate import simulate_logs
    from pipeline.simulator.simulation_config import SimulationSettings

    folder = tmp_path_factory.mktemp("project")
    simulate_logs(
        SimulationSettings(days=3, rows_per_day=1500, seed=5, malformed_share=0.05), folder / "logs"
    )
    return Project(logs=folder / "logs", root=folder / "root", kept=folder / "kept")


@dataclass(frozen=True)
class Ended:
    """A run on the root, with the versions and the report that there were afterwards."""

    run: EndedRun
    versions: Sequence[int]
    report: RunData


def ended(project: Project, number: int, *overrides: str) -> Ended:
    """Run, as the run of that number on the root."""
    return Ended(project.run(*overrides), project.versions(), project.report(number))


# What a user does after the first run: each on the root that the first run left, so that any of
# the tests can be run alone.


@pytest.fixture(scope="module")
def first(project: Project) -> Ended:
    """The run that all others follow."""
    done = ended(project, 1, "trainer.epochs=1")
    shutil.copytree(project.root, project.kept)
    return done


@pytest.fixture(scope="module")
def again(project: Project, first: Ended) -> Ended:
    return ended(project.restored(), 2, "trainer.epochs=1")


@pytest.fixture(scope="module")
def removed(project: Project, first: Ended) -> Ended:
    """The same run on a root whose pushed versions somebody has removed."""
    shutil.rmtree(project.restored().root / "serving_model")
    return ended(project, 2, "trainer.epochs=1")


@pytest.fixture(scope="module")
def unreachable(project: Project, first: Ended) -> Ended:
    return ended(project.restored(), 2, "trainer.epochs=1", "tasks.ctr.threshold=0.999")


@pytest.fixture(scope="module")
def too_slow(project: Project, first: Ended) -> tuple[Ended, Ended]:
    """A run beyond its latency budget, and the same run again."""
    project.restored()
    beyond = ("trainer.epochs=1", "serving.latency_budget_ms=0.001")
    return ended(project, 2, *beyond), ended(project, 3, *beyond)


@pytest.fixture(scope="module")
def incomplete_field(project: Project, first: Ended) -> Ended:
    return ended(project.restored(), 2, "trainer.epochs=1", "fields.age_group.min_presence=1.0")


@pytest.fixture(scope="module")
def no_logs(tmp_path_factory: pytest.TempPathFactory) -> EndedRun:
    folder = tmp_path_factory.mktemp("no_logs")
    return Project(logs=folder, root=folder / "root", kept=folder / "kept").run("trainer.epochs=1")


def test_the_first_run_blesses_and_pushes_a_model(first: Ended) -> None:
    assert first.run.exit_code == 0
    assert first.run.summary["status"] == "pushed"
    assert first.versions == [first.run.summary["version"]]
    assert set(first.run.states.values()) == {"done"}


def test_the_lines_of_the_log_are_the_examples_and_the_rejected(first: Ended) -> None:
    ingestion = first.run.summary["ingestion"]
    rejected = sum(ingestion["rejected"].values())
    assert ingestion["lines"] == 4500
    assert rejected > 0
    assert sum(ingestion["examples"].values()) + rejected == 4500


def test_each_task_is_judged_on_as_many_examples_as_ingestion_put_into_its_sample_space(
    first: Ended,
) -> None:
    judged = {task["task"]: task["example_count"] for task in first.run.summary["tasks"]}
    ingested = {
        task: splits["evaluation"]["examples"]
        for task, splits in first.run.summary["ingestion"]["tasks"].items()
    }
    assert judged == ingested
    assert judged["shr"] < judged["vtr"]


def test_what_libraries_print_is_in_the_log_and_not_on_the_terminal(first: Ended) -> None:
    assert " absl: " in Path(first.run.summary["log"]).read_text(encoding="utf-8")
    assert "absl" not in first.run.output


def test_a_second_run_reuses_every_step_and_pushes_nothing(first: Ended, again: Ended) -> None:
    assert again.run.exit_code == 0
    done = {node for node, state in again.run.states.items() if state == "done"}
    assert done == {"Baseline", "Pusher", "RunReport"}  # They look at what there is.
    assert again.versions == first.versions
    assert again.run.summary["newly_pushed"] is False
    assert again.run.summary["tasks"] == first.run.summary["tasks"]


def test_a_model_whose_pushed_version_was_removed_is_pushed_again_without_training(
    removed: Ended,
) -> None:
    assert removed.run.states["Trainer"] == "cached"
    assert removed.run.summary["newly_pushed"] is True
    assert len(removed.versions) == 1


def test_a_model_below_a_threshold_is_refused_with_the_task_and_the_reason(
    unreachable: Ended,
) -> None:
    assert unreachable.run.exit_code == 3
    assert unreachable.run.summary["status"] == "refused"
    refusing = {
        task["task"]: task["refusals"]
        for task in unreachable.run.summary["tasks"]
        if task["refusals"]
    }
    assert list(refusing) == ["ctr"]
    assert f"ctr: {refusing['ctr'][0]}" in unreachable.run.output
    assert "is below the threshold 0.999" in refusing["ctr"][0]


def test_a_refused_model_is_not_pushed(first: Ended, unreachable: Ended) -> None:
    assert unreachable.run.summary["version"] is None
    assert unreachable.versions == first.versions


def test_a_changed_threshold_repeats_the_evaluation_only(unreachable: Ended) -> None:
    cached = [node for node, state in unreachable.run.states.items() if state == "cached"]
    assert cached == [*BEFORE_TRAINING, "Trainer", "ModelInsight"]
    assert unreachable.run.summary["push_check"] is None


def test_a_pushed_version_was_served_and_scored_as_the_trainers_export(first: Ended) -> None:
    check = first.run.summary["push_check"]
    assert check["refusals"] == []
    # 5 users with each of 3 numbers of candidates, and the examples themselves.
    assert check["compared_requests"] == 16
    assert check["largest_difference"] < 1e-5
    assert "scores differ from the trainer's by" in first.run.output


def test_a_pushed_version_carries_warm_up_requests_for_every_signature(
    project: Project, first: Ended
) -> None:
    import collections

    import tensorflow as tf
    from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog

    version = project.kept / "serving_model" / str(first.run.summary["version"])
    records = tf.data.TFRecordDataset(str(version / "assets.extra" / "tf_serving_warmup_requests"))
    logs = [PredictionLog.FromString(record.numpy()).predict_log.request for record in records]
    asked = collections.Counter(request.model_spec.signature_name for request in logs)
    assert asked == {
        "field_presence": 1,
        "inspect": 1,
        "rank": 3,
        "rank_top_k": 3,
        "serving_default": 1,
        "transform_features": 1,
    }
    assert asked.keys() == tf.saved_model.load(str(version)).signatures.keys()


def test_a_version_beyond_its_latency_budget_is_refused_with_how_much(
    first: Ended, too_slow: tuple[Ended, Ended]
) -> None:
    assert too_slow[0].run.exit_code == 3
    assert too_slow[0].run.summary["status"] == "refused"
    [refusal, *_] = too_slow[0].run.summary["push_check"]["refusals"]
    assert refusal in too_slow[0].run.output
    assert "is above serving.latency_budget_ms 0.001 by " in refusal
    assert too_slow[1].versions == first.versions


def test_a_refusal_of_a_slow_machine_is_measured_anew_and_no_step_before_it(
    too_slow: tuple[Ended, Ended],
) -> None:
    done = [node for node, state in too_slow[1].run.states.items() if state == "done"]
    assert done == ["Baseline", "PushCheck", "Pusher", "RunReport"]
    assert too_slow[1].run.exit_code == 3


def test_anomalies_stop_the_run_before_training_with_a_table(incomplete_field: Ended) -> None:
    assert incomplete_field.run.exit_code == 1
    failure = incomplete_field.run.summary["failure"]
    assert failure["node"] == "AnomalyGate"
    assert failure["cause"] == "AnomaliesFoundError: 3 anomalies in the examples, of age_group"
    assert failure["cause"] in incomplete_field.run.output
    assert [line.split()[:3] for line in failure["details"].splitlines()[1:]] == [
        ["age_group", split, "ERROR"] for split in ("train", "validation", "evaluation")
    ]
    assert "Transform" not in incomplete_field.run.states
    log = Path(incomplete_field.run.summary["log"]).read_text(encoding="utf-8")
    assert "Traceback (most recent call last)" in log


def test_a_failed_node_is_named_with_its_cause_in_one_line(no_logs: EndedRun) -> None:
    assert no_logs.exit_code == 1
    failure = no_logs.summary["failure"]
    assert failure["node"] == "LogsExampleGen"
    assert f"Failed: LogsExampleGen: {failure['cause']}" in no_logs.output
    # Told before anything was loaded, so there is no traceback.
    assert failure["details"] in Path(no_logs.summary["log"]).read_text(encoding="utf-8")


def test_a_run_leaves_a_report_of_itself(project: Project, first: Ended) -> None:
    from pipeline.report.elements.page import run_of_page

    pages = sorted(
        (project.root / "artifacts" / "RunReport" / "report").glob("*/report.html"),
        key=lambda path: int(path.parent.name),
    )
    kept = run_of_page(pages[0])
    assert (kept.outcome, kept.version) == ("pushed", first.run.summary["version"])
    assert [verdict.task for verdict in kept.evaluation.tasks] == [
        task["task"] for task in first.run.summary["tasks"]
    ]
    assert kept == dataclasses.replace(first.report, name="short_video")


def test_a_report_tells_what_the_model_learnt_and_what_the_formulas_weights_decide(
    first: Ended,
) -> None:
    run = first.report
    assert list(run.curves["loss"]) == [(1, pytest.approx(run.curves["loss"][0][1]))]
    evaluated = first.run.summary["ingestion"]["examples"]["evaluation"]
    assert run.insight.inspection.examples == evaluated
    effects = run.insight.weight_effects
    assert effects.exposures <= evaluated
    assert {(effect.name, effect.factor) for effect in effects.effects} == {
        (name, factor)
        for name in ("vtr", "vcr", "shr", "cmr", "ctr", "duration")
        for factor in (0.0, 0.5, 1.5)
    }


def test_a_refused_run_has_a_report_that_says_why(unreachable: Ended) -> None:
    run = unreachable.report
    assert run.outcome == "refused"
    assert any(
        refusal.startswith("ctr: auc ") and "is below the threshold 0.999" in refusal
        for refusal in run.refusals
    )


def test_a_failed_run_has_a_report_of_what_there_is(first: Ended, incomplete_field: Ended) -> None:
    run = incomplete_field.report
    assert run.outcome == "failed"
    assert (run.failure.component, run.failure.cause) == (
        "AnomalyGate",
        incomplete_field.run.summary["failure"]["cause"],
    )
    assert {anomaly.feature for anomaly in run.anomalies} == {"age_group"}
    assert run.ingestion.model_dump(mode="json") == first.run.summary["ingestion"]
    assert run.evaluation is None


# The command in a process that stops, as it is, when the second epoch has ended.
_COMMAND = """
import os, signal, typer
from pipeline.commands import add_to
from trainer.fit.early_stopping import EarlyStopping
end_epoch = EarlyStopping.on_epoch_end
def stop_after_two(self, epoch, logs=None):
    end_epoch(self, epoch, logs)
    if epoch == 1:
        os.kill(os.getpid(), signal.SIGSTOP)
EarlyStopping.on_epoch_end = stop_after_two
app = typer.Typer()
add_to(app)
app()
"""


@dataclass(frozen=True)
class Killed:
    """A run that was killed while it trained, a run that was tried meanwhile, and the same command afterwards."""

    output: str
    meanwhile: EndedRun
    unfinished: list[str]
    resumed: EndedRun
    versions: Sequence[int]
    checkpoints: list[str]


@pytest.fixture(scope="module")
def killed(project: Project, first: Ended) -> Killed:
    training = ("trainer.epochs=3", "trainer.patience=3", "trainer.seed=7")
    command = [sys.executable, "-c", _COMMAND, *project.restored().arguments(*training)]
    log = project.root.with_suffix(".log")
    with log.open("w") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output)
        try:
            _, status = os.waitpid(process.pid, os.WUNTRACED)
            assert os.WIFSTOPPED(status), log.read_text()
            meanwhile = project.run("trainer.epochs=1")
        finally:
            process.kill()
            process.wait()
    checkpoints = project.root / "checkpoints"
    unfinished = os.listdir(checkpoints)
    resumed = project.run(*training)
    return Killed(
        log.read_text(), meanwhile, unfinished, resumed, project.versions(), os.listdir(checkpoints)
    )


def test_a_second_run_on_a_root_in_use_is_refused(killed: Killed) -> None:
    assert killed.meanwhile.exit_code == 1
    assert "another run (process" in killed.meanwhile.output


def test_the_terminal_shows_each_epoch(killed: Killed) -> None:
    assert [f"epoch {number}:" in killed.output for number in (1, 2, 3)] == [True, True, False]


def test_a_killed_training_goes_on_from_its_checkpoint_to_a_blessed_model(killed: Killed) -> None:
    assert len(killed.unfinished) == 1
    resumed = killed.resumed
    assert resumed.exit_code == 0, resumed.output
    log = Path(resumed.summary["log"]).read_text(encoding="utf-8")
    assert "resumes after epoch 2" in log
    assert "epoch 3:" in log
    assert "epoch 1:" not in log
    assert resumed.summary["status"] == "pushed"


def test_other_settings_of_the_training_repeat_it_and_what_follows_only(killed: Killed) -> None:
    states = killed.resumed.states
    assert [node for node, state in states.items() if state == "cached"] == BEFORE_TRAINING
    assert states["Trainer"] == "done"


def test_the_next_model_is_compared_with_the_blessed_one_and_becomes_the_newest_version(
    first: Ended, killed: Killed
) -> None:
    before = {task["task"]: task["metrics"] for task in first.run.summary["tasks"]}
    for task in killed.resumed.summary["tasks"]:
        # Beam batches as it likes, and rounding may move a score over one of the thresholds that
        # the AUC is made of, or over another one of its user, of whose pairs there are few.
        was, now = dict(before[task["task"]]), dict(task["baseline_metrics"])
        assert now.pop("gauc", None) == pytest.approx(was.pop("gauc", None), abs=5e-3)
        assert now == pytest.approx(was, abs=1e-3)
    newest = killed.resumed.summary["version"]
    assert killed.versions == [*first.versions, newest]


def test_checkpoints_are_removed_after_training(killed: Killed) -> None:
    assert killed.resumed.exit_code == 0
    assert killed.checkpoints == []


@pytest.fixture(scope="module")
def evaluation_examples(project: Project, first: Ended) -> list[Any]:
    """The examples that the newest version was judged on."""
    import tensorflow as tf

    folder = max(
        (project.kept / "artifacts" / "LogsExampleGen" / "examples").glob("[0-9]*"),
        key=lambda path: int(path.name),
    )
    files = [str(path) for path in (folder / "Split-evaluation").glob("*")]
    return [
        tf.train.Example.FromString(data.numpy())
        for data in tf.data.TFRecordDataset(files, compression_type="GZIP")
    ]


@pytest.fixture(scope="module")
def scores(project: Project, first: Ended, evaluation_examples: list[Any]) -> dict[str, Any]:
    """What `serving_default` of the newest version says of them."""
    import tensorflow as tf

    model = tf.saved_model.load(
        str(project.kept / "serving_model" / str(first.run.summary["version"]))
    )
    answer = model.signatures["serving_default"](
        tf.constant([example.SerializeToString() for example in evaluation_examples])
    )
    return {name: values.numpy() for name, values in answer.items()}


def _floats(examples: list[Any], feature: str) -> Any:
    import numpy as np

    return np.array([example.features.feature[feature].float_list.value[0] for example in examples])


def test_the_evaluators_figures_follow_from_the_pushed_models_own_scores(
    first: Ended, evaluation_examples: list[Any], scores: dict[str, Any]
) -> None:
    import numpy as np

    for row in first.run.summary["tasks"]:
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
    first: Ended,
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
    version = str(first.run.summary["version"])
    shutil.copytree(project.kept / "serving_model" / version, tmp_path / "serving_model" / version)

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
        RankingClient(server.target, spec, timeout_ms=600_000) as client,
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
