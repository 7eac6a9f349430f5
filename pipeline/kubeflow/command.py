"""`fulcrum compile`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from pipeline.exit_codes import failed

_ENDINGS = (".yaml", ".yml", ".json")


def compile_pipeline(  # noqa: PLR0917
    spec: Annotated[str, typer.Option(help="Feature spec: a YAML file, or a ready one; `fulcrum spec list` names them.")],
    logs: Annotated[str, typer.Option(metavar="URI", help="Folder that the spec's log paths are relative to.")],
    root: Annotated[str, typer.Option(metavar="URI", help="Folder for artifacts and pushed models.")],
    image: Annotated[str, typer.Option(help="Image that pods run; pipeline/deploy/Dockerfile makes one.")],
    output: Annotated[
        Path,
        typer.Option(dir_okay=False, help="File to write: .yaml for Kubeflow's clients, .json for the job with its root."),
    ],
    kubeflow: Annotated[bool, typer.Option("--kubeflow", help="For Kubeflow Pipelines 2; so far the only target.")] = False,
    model: Annotated[str | None, typer.Option(help="Model to train, in place of the spec's.")] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="PATH=VALUE", help="Replaces a value of the spec. May be repeated."),
    ] = None,
    tune: Annotated[
        bool, typer.Option("--tune", help="First search for better settings, as the spec's section tuner says.")
    ] = False,
    with_single_task: Annotated[
        bool,
        typer.Option(
            "--with-single-task", help="Also train each task alone, and report what each gains from the others (MTL gain)."
        ),
    ] = False,
    beam: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY=VALUE", help="Option for Beam, passed on unchanged. May be repeated."),
    ] = None,
) -> None:
    """Write the pipeline of `fulcrum run` as a job for a cluster, which runs each component in a pod of its own.

    The file holds all that the spec says. Nothing is sent anywhere: submit it with Kubeflow's page or client (docs/scale.md).

    Exit code: 0 written; 1 wrong settings; 2 wrong usage.

    Example: fulcrum compile --kubeflow --spec short_video --logs gs://bucket/logs --root gs://bucket/ranking
    --image registry/fulcrum-pipeline:0.1.0 --output job.yaml
    """
    from feature_spec.artifacts_place import is_uri
    from pipeline.beam_options import beam_arguments
    from pipeline.cluster_root import ClusterRoot
    from pipeline.quiet import quiet
    from pipeline.spec_overrides import checked_trainer_settings, load_overridden_spec

    try:
        if not kubeflow:
            raise ValueError("say for which target: --kubeflow")
        if output.suffix not in _ENDINGS:
            raise ValueError(f"--output {output}: the name ends with {', '.join(_ENDINGS[:-1])} or {_ENDINGS[-1]}")
        for option, place in (("--logs", logs), ("--root", root)):
            if not is_uri(place):
                raise ValueError(
                    f"{option} {place}: pods do not see folders of this machine; give a URI such as gs://bucket/folder"
                )
        feature_spec = load_overridden_spec(spec, set_ or [], model)
        settings = checked_trainer_settings(feature_spec)
        beam_options = beam_arguments(beam or [])
        if tune and feature_spec.tuner is None:
            raise ValueError(f"--tune: {spec} has no section 'tuner'; see docs/feature_spec.md")
        feature_spec.logs.of_day(None)  # refuses a table that is one day's
    except ValueError as error:
        raise failed(error) from error
    with quiet(Path(os.devnull)):
        try:
            import kfp.pipeline_spec  # noqa: F401
        except ModuleNotFoundError as error:
            raise failed(ValueError("--kubeflow needs the extra: pip install 'fulcrum-ranker[kubeflow]'")) from error
        from pipeline.kubeflow.job import kubeflow_job, write_job

        job = kubeflow_job(
            feature_spec,
            trainer_settings=settings,
            logs=logs.rstrip("/"),
            root=ClusterRoot(root.rstrip("/")),
            image=image,
            beam_arguments=beam_options,
            with_single_task=with_single_task,
            tune=tune,
        )
        write_job(job, output)
    console = Console(highlight=False)
    tasks = job["pipelineSpec"]["root"]["dag"]["tasks"]
    console.print(f"Wrote {output}: {len(tasks)} components, each in a pod of {image}.", soft_wrap=True)
    if feature_spec.drift.thresholds:
        console.print("Left out: drift. Kubeflow Pipelines gives a job no statistics of earlier runs.", soft_wrap=True)
