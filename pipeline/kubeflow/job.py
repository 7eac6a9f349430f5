"""The job of Kubeflow Pipelines that runs the pipeline of a spec, a pod a component."""

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
    """The job as the JSON form of `kfp.pipeline_spec.PipelineJob`.

    Args:
        spec: valid as a whole.
        trainer_settings: JSON of the trainer's settings.
        logs: URI of the folder that the spec's log paths are relative to.
        root: where everything is kept.
        image: name of the image that pods run, with the project and its locked dependencies.
        beam_arguments: Beam pipeline options.
        with_single_task: whether each task is also trained alone, and the MTL gain measured.
        tune: whether settings are searched for first, as the spec's section `tuner` says.
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
    # Kubeflow compares settings, not files: it would take yesterday's examples for those of the new
    # logs, and what follows the examples never meets the same ones twice.
    pipeline.enable_cache = False
    config = kubeflow_v2_dag_runner.KubeflowV2DagRunnerConfig(
        default_image=image,
        # The form that Kubeflow's own backend reads; the older one is for other services.
        use_pipeline_spec_2_1=True,
    )
    job: dict[str, Any] = kubeflow_v2_dag_runner.KubeflowV2DagRunner(config).run(
        pipeline, write_out=False
    )
    job["pipelineSpec"]["defaultPipelineRoot"] = root.artifacts
    for executor in job["pipelineSpec"]["deploymentSpec"]["executors"].values():
        container = executor["container"]
        # TFX is imported before our packages, which set it elsewhere.
        container["env"] = [{"name": "TF_USE_LEGACY_KERAS", "value": "1"}]
        # TFX's look at the logs before a step is taken over, which none is; it knows files only.
        container.pop("lifecycle", None)
    return job


def write_job(job: dict[str, Any], file: Path) -> None:
    """Writes the job as JSON, or what Kubeflow's own clients take, its pipeline, as YAML, by the ending of the file's name."""
    if file.suffix == ".json":
        text = json.dumps(job, indent=1, sort_keys=True)
    else:
        text = yaml.safe_dump(job["pipelineSpec"], width=128)
    file.write_text(text, encoding="utf-8")
