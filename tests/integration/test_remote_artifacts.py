"""`fulcrum run` with logs and artifacts on a file system that is not this machine's, against the same run on local folders."""

from __future__ import annotations

import json
import os
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from typer.testing import CliRunner

from fulcrum import cli
from tests.integration.ended_run import EndedRun, run_command

pytestmark = [pytest.mark.slow, pytest.mark.tensorflow]

LOGS, ARTIFACTS = "ram://remote-artifacts/logs", "ram://remote-artifacts/run"
SPEC = """
name: tiny
keys: {user: user}
logs: {exposures: {path: "*.jsonl", format: jsonl}}
split: {evaluation_files: ["evaluation.jsonl"], validation_share: 0.2}
fields:
  user: {side: user, kind: categorical, width: 4}
  item: {side: item, kind: categorical, width: 4}
  length_s: {side: item, kind: numeric}
tasks:
  click: {kind: binary, label: {rule: event, column: clicked}, metric: auc, threshold: 0.1, tolerance: 1.0}
ranking_formula: {weights: {click: 1.0}}
model: {name: shared_bottom, bottom_units: [4], tower_units: []}
trainer: {epochs: 1, batch_size: 64}
serving: {candidate_counts: [1], latency_budget_ms: 10_000}
"""


def write_logs(folder: Path) -> None:
    chance = random.Random(1)
    folder.mkdir()
    for name, count in (("train", 600), ("evaluation", 200)):
        rows = []
        for _ in range(count):
            user, item = chance.randrange(20), chance.randrange(15)
            rows.append({
                "user": f"u{user}", "item": f"i{item}", "length_s": chance.gauss(30, 5),
                "clicked": chance.random() < (user % 4 + item % 3) / 5,
            })  # fmt: skip
        (folder / f"{name}.jsonl").write_text(
            "\n".join([*map(json.dumps, rows), "no JSON"]), encoding="utf-8"
        )


def run(folder: Path, logs: str, root: Path, *arguments: str) -> EndedRun:
    given = ["--spec", str(folder / "spec.yaml"), "--logs", logs, "--root", str(root)]
    return run_command(["run", *given, *arguments], folder / "summary.json")


def examples(artifacts: str) -> dict[str, Counter[bytes]]:
    """The records of each split."""
    import tensorflow as tf

    found = {}
    for split in ("train", "validation", "evaluation"):
        files = tf.io.gfile.glob(f"{artifacts}/LogsExampleGen/examples/*/Split-{split}/*.gz")
        records = tf.data.TFRecordDataset(files, compression_type="GZIP")
        found[split] = Counter(record.numpy() for record in records)
    return found


@dataclass(frozen=True)
class Story:
    folder: Path
    remote: EndedRun
    again: EndedRun
    local: EndedRun


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    import tensorflow as tf

    from tests.pipeline.workspace import ram_file_system  # which makes ram:// known to Beam

    folder = tmp_path_factory.mktemp("remote")
    (folder / "spec.yaml").write_text(SPEC, encoding="utf-8")
    write_logs(folder / "logs")
    with pytest.MonkeyPatch.context() as patch:
        ram_file_system.mend_folders(patch)
        # Where a folder named after the scheme would lie.
        patch.chdir(folder)
        tf.io.gfile.makedirs(LOGS)
        for file in (folder / "logs").iterdir():
            tf.io.gfile.copy(str(file), f"{LOGS}/{file.name}")
        remote = run(folder, LOGS, folder / "root", "--artifacts", ARTIFACTS)
        again = run(folder, LOGS, folder / "root")
        yield Story(folder, remote, again, run(folder, str(folder / "logs"), folder / "local"))


def test_the_outcome_is_that_of_a_local_run(story: Story) -> None:
    assert (story.remote.exit_code, story.local.exit_code) == (0, 0)
    assert story.remote.summary["status"] == story.local.summary["status"] == "pushed"
    assert story.remote.states == story.local.states
    assert story.remote.summary["ingestion"] == story.local.summary["ingestion"]
    [remote], [local] = story.remote.summary["tasks"], story.local.summary["tasks"]
    assert remote["example_count"] == local["example_count"] == 200
    # Two trainings of one process may differ a little, wherever their examples are.
    assert remote["metrics"] == pytest.approx(local["metrics"], abs=0.05)


def test_the_examples_are_those_of_a_local_run(story: Story) -> None:
    remote = examples(ARTIFACTS)
    assert remote == examples(str(story.folder / "local" / "artifacts"))
    assert {split: records.total() for split, records in remote.items()} == story.remote.summary[
        "ingestion"
    ]["examples"]


def test_no_artifact_is_written_to_a_local_folder(story: Story) -> None:
    assert set(os.listdir(story.folder)) - {"summary.json"} == {
        "local",
        "logs",
        "root",
        "spec.yaml",
    }
    assert not (story.folder / "root" / "artifacts").exists()
    assert not list(story.folder.rglob("ram:*"))


def test_the_version_is_pushed_to_the_root(story: Story) -> None:
    version = story.folder / "root" / "serving_model" / str(story.remote.summary["version"])
    assert (version / "saved_model.pb").is_file()
    assert (version / "assets.extra" / "tf_serving_warmup_requests").is_file()


def test_the_root_keeps_to_the_place_and_reuses_what_is_there(story: Story) -> None:
    done = {node for node, state in story.again.states.items() if state == "done"}
    assert done == {"Baseline", "Pusher", "RunReport"}  # They look at what there is.
    assert story.again.summary["version"] == story.remote.summary["version"]


def test_the_report_is_made_of_what_is_there(story: Story) -> None:
    from pipeline.report.run_lookup import find_run

    remote, local = (find_run(str(story.folder / name), 1) for name in ("root", "local"))
    assert remote.outcome == local.outcome == "pushed"
    assert remote.ingestion.model_dump(mode="json") == story.remote.summary["ingestion"]
    assert remote.curves.keys() == local.curves.keys()
    assert remote.anomalies == []
    exposures = remote.insight.weight_effects.exposures
    assert 0 < exposures == local.insight.weight_effects.exposures


def test_rejected_lines_are_browsed_where_they_are(story: Story) -> None:
    result = CliRunner().invoke(cli.app, ["rejects", "--root", str(story.folder / "root")])
    assert result.exit_code == 0
    assert f"2 rejected lines; all of them: {ARTIFACTS}/LogsExampleGen/examples/" in result.output


def test_the_newest_evaluation_split_and_statistics_are_found_there(story: Story) -> None:
    from pipeline.validate.skew import training_statistics
    from serving.ui.logged_examples import evaluation_files
    from trainer.inspect.exported_model import evaluation_examples

    root = story.folder / "root"
    assert evaluation_examples(root) == evaluation_files(root) != []
    assert evaluation_files(root)[0].startswith(f"{ARTIFACTS}/LogsExampleGen/examples/")
    assert training_statistics(root).startswith(f"{ARTIFACTS}/StatisticsGen/statistics/")


def test_a_new_root_may_not_share_the_place(story: Story) -> None:
    ended = run(story.folder, LOGS, story.folder / "local" / "another", "--artifacts", ARTIFACTS)
    assert ended.exit_code == 1
    assert f"--artifacts {ARTIFACTS}: there are files already" in ended.output
