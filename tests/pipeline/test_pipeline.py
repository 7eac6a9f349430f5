"""The DAG: which nodes a run has on this machine and on a cluster, and what waits for what."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from feature_spec.loading import parse_spec
from feature_spec.sections import Drift
from feature_spec.spec import FeatureSpec
from tests.pipeline.spec_with_all import EVERY_RUN, WITH_ALL

pytestmark = [pytest.mark.slow, pytest.mark.tensorflow]

DRIFT = {"PreviousStatistics", "DriftCheck", "DriftGate"}


def nodes(spec: FeatureSpec, deployment: Any, **options: Any) -> dict[str, Any]:
    """Nodes by name."""
    from pipeline.ingest.component import LogsExampleGen
    from pipeline.pipeline import ranking_pipeline

    options.setdefault("example_gen", LogsExampleGen(spec=spec, logs="logs"))
    pipeline = ranking_pipeline(
        spec, trainer_settings="{}", deployment=deployment, beam_arguments=[], **options
    )
    return {node.id: node for node in pipeline.components}


def local(folder: Path) -> Any:
    from pipeline.deployment import LocalDeployment
    from pipeline.workspace.root import Root

    return LocalDeployment(Root(folder))


def upstream(node: Any) -> set[str]:
    return {other.id for other in node.upstream_nodes}


def test_what_is_not_asked_for_has_no_node(tmp_path: Path) -> None:
    spec = parse_spec(WITH_ALL).model_copy(update={"drift": Drift()})
    assert nodes(spec, local(tmp_path)).keys() == EVERY_RUN


def test_each_option_adds_its_nodes(tmp_path: Path) -> None:
    spec = parse_spec(WITH_ALL)
    found = nodes(spec, local(tmp_path), with_single_task=True, tuner=spec.tuner)
    assert found.keys() == EVERY_RUN | DRIFT | {"Tuner", "SingleTaskTrainer", "MtlGain"}


def test_gates_stand_before_transform_and_reports_behind_the_push(tmp_path: Path) -> None:
    found = nodes(parse_spec(WITH_ALL), local(tmp_path), with_single_task=True)
    assert {"AnomalyGate", "DriftGate"} <= upstream(found["Transform"])
    assert "Pusher" in upstream(found["ModelInsight"])
    assert "Pusher" in upstream(found["SingleTaskTrainer"])
    assert upstream(found["Pusher"]) == {"Evaluator", "PushCheck"}


def test_a_cluster_asks_no_metadata_of_earlier_runs_and_renames_nothing() -> None:
    from tfx.components import Pusher
    from tfx.dsl.components.common.resolver import Resolver

    from pipeline.deployment import ClusterDeployment
    from pipeline.resolvers.earlier_runs import LastPushedModel
    from pipeline.workspace.root import ClusterRoot

    deployment = ClusterDeployment(ClusterRoot("gs://bucket/root"))
    found = nodes(parse_spec(WITH_ALL), deployment)
    assert found.keys() == EVERY_RUN
    assert not any(isinstance(node, Resolver) for node in found.values())
    assert isinstance(found["Baseline"], LastPushedModel)
    assert type(found["Pusher"]) is Pusher
    assert deployment.pipeline_name("with_all") == "with-all"
    assert deployment.metadata_connection() is None


def test_a_pusher_gets_the_state_of_histories_with_the_examples(tmp_path: Path) -> None:
    from pipeline.deployment import ClusterDeployment
    from pipeline.workspace.root import ClusterRoot

    content = yaml.safe_load(WITH_ALL)
    content["keys"]["event_time"] = {"column": "time_s", "unit": "s"}
    content["histories"] = {"known_after_s": 600, "counts": {"seen": {"by": ["user"]}}}
    spec = parse_spec(yaml.safe_dump(content))
    for deployment in (local(tmp_path), ClusterDeployment(ClusterRoot("gs://bucket/root"))):
        pusher = nodes(spec, deployment)["Pusher"]
        assert "examples" in pusher.inputs
        assert "examples" not in nodes(parse_spec(WITH_ALL), deployment)["Pusher"].inputs


def test_a_run_by_span_ingests_each_day_and_begins_with_an_earlier_model(tmp_path: Path) -> None:
    from pipeline.spans.span_nodes import span_nodes
    from pipeline.spans.span_window import SpanWindow

    spec = parse_spec(
        WITH_ALL.replace('"*.jsonl"', '"{day}/*.jsonl"')
        .replace('evaluation_files: ["evaluation.jsonl"]', "evaluation_days: 1")
        .replace("{user: user}", "{user: user, event_time: {column: time, unit: s}}", 1)
    )
    days = [datetime.date(2026, 1, number) for number in (1, 2, 3)]
    window = SpanWindow(training_days=days[:2], evaluation_day=days[2])
    span = span_nodes(spec, "logs", window)
    found = nodes(spec, local(tmp_path), example_gen=span.example_gen, span=span)
    assert found.keys() == (EVERY_RUN - {"LogsExampleGen"}) | DRIFT | {
        "WindowExampleGen", "AnalyzerCache", "BaseModel", *(f"LogsExampleGen-{day}" for day in days),
    }  # fmt: skip
    assert "BaseModel" in upstream(found["Trainer"])
    assert {f"LogsExampleGen-{day}" for day in days[:2]} <= upstream(found["Transform"])
    assert f"LogsExampleGen-{days[2]}" not in upstream(found["Transform"])
