"""The job of Kubeflow Pipelines that runs a pipeline with a pod for each component."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from tfx.orchestration.kubeflow.v2 import kubeflow_v2_dag_runner

from feature_spec.spec import FeatureSpec
from pipeline.deployment import ClusterDeployment
from pipeline.ingest.component import LogsExampleGen
from pipeline.pipeline import ranking_pipeline
from pipeline.workspace.root import ClusterRoot


def kubeflow_job(
    spec: FeatureSpec,
    *,
    trainer_settings: str,
    logs: str,
    root: ClusterRoot,
    image: str,
    beam_arguments: Sequence[str],
    with_single_task: bool = False,
    tune: bool = False,
) -> dict[str, Any]:
    """Return the job as the JSON form of `kfp.pipeline_spec.PipelineJob`.

    Args:
        spec: the feature spec, valid as a whole.
        trainer_settings: JSON of the trainer's settings.
        logs: the URI of the folder that the spec's log paths are relative to.
        root: the place where the pipeline keeps its files.
        image: the name of the image that pods run, with the project and its locked dependencies.
        beam_arguments: Beam pipeline options.
        with_single_task: whether to train each task alone, too, and to measure the MTL gain.
        tune: whether to search for settings first, as the spec's section `tuner` says.
    """
    pipeline = ranking_pipeline(
        spec,
        example_gen=LogsExampleGen(spec, logs),
        trainer_settings=trainer_settings,
        deployment=ClusterDeployment(root),
        beam_arguments=beam_arguments,
        with_single_task=with_single_task,
        tuner=spec.tuner if tune else None,
    )
    # Kubeflow compares settings, not files: it would reuse yesterday's examples for new logs. The
    # steps after ingestion never see the same examples twice.
    pipeline.enable_cache = False
    config = kubeflow_v2_dag_runner.KubeflowV2DagRunnerConfig(
        default_image=image,
        # Kubeflow's own backend reads this form; the older form is for other services.
        use_pipeline_spec_2_1=True,
    )
    job: dict[str, Any] = kubeflow_v2_dag_runner.KubeflowV2DagRunner(config).run(
        pipeline, write_out=False
    )
    job["pipelineSpec"]["defaultPipelineRoot"] = root.artifacts
    for executor in job["pipelineSpec"]["deploymentSpec"]["executors"].values():
        container = executor["container"]
        # Pods import TFX before our packages, which set the variable elsewhere.
        container["env"] = [{"name": "TF_USE_LEGACY_KERAS", "value": "1"}]
        # TFX looks for changed log files before it reuses a step. Nothing is reused here, and TFX
        # knows files only.
        container.pop("lifecycle", None)
    return job


def write_job(job: dict[str, Any], file: Path) -> None:
    """Write a job in the form that the ending of the file's name asks for.

    `.json` is the job. Another ending is YAML of the pipeline in the job, which Kubeflow's own
    clients read.
    """
    if file.suffix == ".json":
        text = json.dumps(job, indent=1, sort_keys=True)
    else:
        text = yaml.safe_dump(job["pipelineSpec"], width=128)
    file.write_text(text, encoding="utf-8")
