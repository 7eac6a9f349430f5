"""Components run as pods of Kubeflow Pipelines run them: started by the job's own arguments, with nothing but these."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from feature_spec.loading import parse_spec
from pipeline.commands.run_options import beam_arguments
from pipeline.commands.spec_overrides import checked_trainer_settings
from pipeline.workspace.root import ClusterRoot

pytestmark = [pytest.mark.slow, pytest.mark.tensorflow]

SPEC = """
name: in_pods
keys: {user: user}
logs: {exposures: {path: "*.jsonl", format: jsonl}}
split: {evaluation_files: ["evaluation.jsonl"], validation_share: 0.5}
fields:
  user: {side: user, kind: categorical}
  length_s: {side: item, kind: numeric}
tasks:
  click: {kind: binary, label: {rule: event, column: clicked}, metric: auc, threshold: 0.1, tolerance: 1.0}
ranking_formula: {weights: {click: 1.0}}
"""


@pytest.fixture(scope="module")
def pods(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A run of a job whose URIs are folders, as far as the gate before Transform."""
    from pipeline.kubeflow.job import kubeflow_job
    from tests.pipeline.kubeflow.pods import Pods

    folder = tmp_path_factory.mktemp("cluster")
    chance = random.Random(1)
    (folder / "logs").mkdir()
    for name in ("train", "evaluation"):
        rows = [
            {"user": f"u{n % 5}", "length_s": chance.gauss(30, 5), "clicked": n % 3 == 0}
            for n in range(30)
        ]
        (folder / "logs" / f"{name}.jsonl").write_text(
            "\n".join([*map(json.dumps, rows), "broken"])
        )
    (folder / "root" / "serving_model" / "5").mkdir(parents=True)
    (folder / "root" / "serving_model" / "5" / "saved_model.pb").write_bytes(b"pushed")
    spec = parse_spec(SPEC)
    job = kubeflow_job(
        spec,
        trainer_settings=checked_trainer_settings(spec),
        logs=str(folder / "logs"),
        root=ClusterRoot(str(folder / "root")),
        image="image:1",
        beam_arguments=beam_arguments([]),
    )
    run = Pods(job, str(folder / "run"), folder / "disks")
    for task in run.order:
        if task in {
            "SpecSchema",
            "LogsExampleGen",
            "StatisticsGen",
            "ExampleValidator",
            "AnomalyGate",
            "Baseline",
        }:
            run.run(task)
    return run


def test_ingestion_gives_the_examples_of_the_logs(pods: Any) -> None:
    from pipeline.ingest.executor import read_summary

    examples = pods.artifacts["LogsExampleGen", "examples"]
    summary = read_summary(examples["uri"])
    assert (summary.lines, sum(summary.examples.values()), sum(summary.rejected.values())) == (
        62,
        60,
        2,
    )
    assert json.loads(examples["metadata"]["split_names"]) == ["train", "validation", "evaluation"]


def test_statistics_and_anomalies_follow_from_them(pods: Any) -> None:
    from pipeline.validate.anomalies import read_anomalies

    assert Path(
        pods.artifacts["StatisticsGen", "statistics"]["uri"], "Split-train", "FeatureStats.pb"
    ).exists()
    assert not read_anomalies(Path(pods.artifacts["ExampleValidator", "anomalies"]["uri"]))


def test_the_schema_is_that_of_the_spec(pods: Any) -> None:
    from tfx.utils import io_utils

    from pipeline.validate.schema import schema_from_spec

    written = io_utils.SchemaReader().read(
        f"{pods.artifacts['SpecSchema', 'schema']['uri']}/schema.pbtxt"
    )
    assert written == schema_from_spec(parse_spec(SPEC))


def test_the_baseline_is_the_version_pushed_last(pods: Any) -> None:
    model = Path(pods.artifacts["Baseline", "model"]["uri"])
    assert (model / "Format-Serving" / "saved_model.pb").read_bytes() == b"pushed"
