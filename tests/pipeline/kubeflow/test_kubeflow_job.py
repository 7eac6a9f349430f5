"""The job of Kubeflow Pipelines, against its schema and against what its backend runs."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

import pytest
import yaml

from feature_spec.loading import load_spec, parse_spec
from pipeline.commands.run_options import beam_arguments
from pipeline.commands.spec_overrides import checked_trainer_settings
from pipeline.workspace.root import ClusterRoot
from tests.pipeline.spec_with_all import EVERY_RUN, WITH_ALL

pytestmark = [pytest.mark.slow, pytest.mark.tensorflow]

IMAGE = "registry.example/fulcrum-pipeline:0.2.0"
ROOT = "gs://bucket/ranking"
READY_SPECS = ("census_income", "kuairand", "kuairand_static", "short_video", "short_video_events")


def job_of(spec: Any, **options: Any) -> dict[str, Any]:
    from pipeline.kubeflow.job import kubeflow_job

    return kubeflow_job(
        spec,
        trainer_settings=checked_trainer_settings(spec),
        logs="gs://bucket/logs",
        root=ClusterRoot(ROOT),
        image=IMAGE,
        **{"beam_arguments": beam_arguments([]), **options},
    )


@pytest.fixture(scope="module")
def job() -> dict[str, Any]:
    return job_of(
        parse_spec(WITH_ALL),
        with_single_task=True,
        tune=True,
        beam_arguments=["--runner=FlinkRunner"],
    )


def containers(job: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Containers by component."""
    pipeline = job["pipelineSpec"]
    executors = pipeline["deploymentSpec"]["executors"]
    return {
        name: executors[part["executorLabel"]]["container"]
        for name, part in pipeline["components"].items()
    }


@pytest.mark.parametrize("name", READY_SPECS)
def test_the_job_of_every_ready_spec_fits_the_schema_and_has_all_components(name: str) -> None:
    from google.protobuf import json_format
    from kfp.pipeline_spec import pipeline_spec_pb2 as schema

    job = job_of(load_spec(name))
    json_format.ParseDict(job, schema.PipelineJob())
    pipeline = json_format.ParseDict(job["pipelineSpec"], schema.PipelineSpec())
    json_format.ParseDict(job["pipelineSpec"]["deploymentSpec"], schema.PipelineDeploymentConfig())
    assert set(pipeline.root.dag.tasks) == EVERY_RUN
    assert pipeline.pipeline_info.name == name.replace("_", "-")


def test_the_ready_specs_tested_are_all_there_are() -> None:
    folder = Path(__file__).resolve().parents[3] / "feature_spec" / "specs"
    assert {path.stem for path in folder.glob("*.yaml")} == set(READY_SPECS)


def test_options_add_their_components_and_drift_is_left_out(job: dict[str, Any]) -> None:
    assert set(job["pipelineSpec"]["root"]["dag"]["tasks"]) == EVERY_RUN | {
        "Tuner",
        "SingleTaskTrainer",
        "MtlGain",
    }


def test_kubeflows_own_client_reads_the_yaml(job: dict[str, Any], tmp_path: Path) -> None:
    from kfp import components
    from kfp.client import client

    from pipeline.kubeflow.job import write_job

    file = tmp_path / "job.yaml"
    write_job(job, file)
    assert components.load_component_from_file(str(file)).name == "with-all"
    sent = client._extract_pipeline_yaml(str(file)).pipeline_spec
    assert sent.default_pipeline_root == f"{ROOT}/artifacts"
    assert len(sent.root.dag.tasks) == len(EVERY_RUN) + 3


def test_json_is_the_whole_job_and_yaml_its_pipeline(job: dict[str, Any], tmp_path: Path) -> None:
    from pipeline.kubeflow.job import write_job

    write_job(job, tmp_path / "job.json")
    write_job(job, tmp_path / "job.yml")
    assert json.loads((tmp_path / "job.json").read_text()) == job
    assert yaml.safe_load((tmp_path / "job.yml").read_text()) == job["pipelineSpec"]
    assert job["runtimeConfig"]["gcsOutputDirectory"] == f"{ROOT}/artifacts"


def test_each_component_is_a_container_of_the_image_that_runs_its_executor(
    job: dict[str, Any],
) -> None:
    from tfx.dsl.components.base.base_executor import BaseExecutor
    from tfx.utils import import_utils

    for name, container in containers(job).items():
        assert container["image"] == IMAGE
        assert container["command"] == [
            "python",
            "-m",
            "tfx.orchestration.kubeflow.v2.container.kubeflow_v2_run_executor",
        ]
        assert container["env"] == [{"name": "TF_USE_LEGACY_KERAS", "value": "1"}]
        arguments = dict(zip(container["args"][::2], container["args"][1::2], strict=False))
        assert arguments["--json_serialized_invocation_args"] == "{{$}}", name
        assert issubclass(
            import_utils.import_class_by_path(arguments["--executor_class_path"]), BaseExecutor
        )
    # Kubeflow's own backend runs no resolvers.
    assert all(
        set(one) == {"container"}
        for one in job["pipelineSpec"]["deploymentSpec"]["executors"].values()
    )


def test_options_of_beam_go_to_the_components_that_run_in_beam(job: dict[str, Any]) -> None:
    given = {
        name
        for name, container in containers(job).items()
        if "--runner=FlinkRunner" in container["args"]
    }
    assert given >= {"LogsExampleGen", "StatisticsGen", "Transform", "Evaluator", "MtlGain"}


def test_the_type_of_every_artifact_is_found_by_its_title(job: dict[str, Any]) -> None:
    from kfp.pipeline_spec import pipeline_spec_pb2 as schema
    from tfx.orchestration.kubeflow.v2.container.kubeflow_v2_entrypoint_utils import (
        _retrieve_class_path,
    )
    from tfx.types import Artifact
    from tfx.utils import import_utils

    titles = set()
    for component in job["pipelineSpec"]["components"].values():
        for declared in component.get("outputDefinitions", {}).get("artifacts", {}).values():
            declared_type = schema.ArtifactTypeSchema(
                instance_schema=declared["artifactType"]["instanceSchema"]
            )
            titles.add(yaml.safe_load(declared_type.instance_schema)["title"])
            assert issubclass(
                import_utils.import_class_by_path(_retrieve_class_path(declared_type)), Artifact
            )
    assert titles >= {"pipeline.Insight", "pipeline.Report", "tfx.Examples"}


def test_nothing_of_this_machine_is_in_the_job(job: dict[str, Any]) -> None:
    text = json.dumps(job)
    for of_machine in (
        str(Path.cwd()),
        str(Path.home()),
        socket.gethostname(),
        str(Path(__file__).parents[3]),
    ):
        assert of_machine not in text


def test_models_are_pushed_and_compared_below_the_root(job: dict[str, Any]) -> None:
    tasks = job["pipelineSpec"]["root"]["dag"]["tasks"]
    destination = json.loads(
        tasks["Pusher"]["inputs"]["parameters"]["push_destination"]["runtimeValue"]["constant"]
    )
    assert destination == {"filesystem": {"base_directory": f"{ROOT}/serving_model"}}
    compared = tasks["Baseline"]["inputs"]["parameters"]["serving_model"]["runtimeValue"][
        "constant"
    ]
    assert compared == f"{ROOT}/serving_model"


def test_no_step_is_taken_over_from_an_earlier_job(job: dict[str, Any]) -> None:
    # Kubeflow would not see that there are new logs.
    assert all(
        "cachingOptions" not in task
        for task in job["pipelineSpec"]["root"]["dag"]["tasks"].values()
    )
    assert all("lifecycle" not in container for container in containers(job).values())
