"""`fulcrum compile`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from feature_spec.output_file import writable_file
from pipeline.commands.run_options import (
    BeamOption,
    ModelOption,
    SetOption,
    SpecOption,
    TuneOption,
    WithSingleTaskOption,
    checked_options,
    failed,
)

_ENDINGS = (".yaml", ".yml", ".json")


def compile_pipeline(  # noqa: PLR0917
    spec: SpecOption,
    logs: Annotated[
        str, typer.Option(metavar="URI", help="Folder that the spec's log paths are relative to.")
    ],
    root: Annotated[
        str, typer.Option(metavar="URI", help="Folder for artifacts and pushed models.")
    ],
    image: Annotated[
        str, typer.Option(help="Image that pods run; pipeline/deploy/Dockerfile makes one.")
    ],
    output: Annotated[
        Path,
        typer.Option(
            dir_okay=False,
            callback=writable_file,
            help="File to write: .yaml for Kubeflow's clients, .json for the job with its root.",
        ),
    ],
    kubeflow: Annotated[
        bool, typer.Option("--kubeflow", help="For Kubeflow Pipelines 2; so far the only target.")
    ] = False,
    model: ModelOption = None,
    set_: SetOption = None,
    tune: TuneOption = False,
    with_single_task: WithSingleTaskOption = False,
    beam: BeamOption = None,
) -> None:
    """Write the pipeline of `fulcrum run` as a job for a cluster, with a pod for each component.

    The file holds all that the spec says. Nothing is sent anywhere: submit it with Kubeflow's page
    or client (docs/scale.md).

    Exit code: 0 written; 1 wrong settings; 2 wrong usage.

    Example: fulcrum compile --kubeflow --spec short_video --logs gs://bucket/logs --root
    gs://bucket/ranking --image registry/fulcrum-pipeline:0.2.0 --output job.yaml
    """
    from feature_spec.names import is_uri
    from pipeline.workspace.capture_output import capture_output
    from pipeline.workspace.root import ClusterRoot, check_place

    try:
        if not kubeflow:
            raise ValueError("say for which target: --kubeflow")
        if output.suffix not in _ENDINGS:
            raise ValueError(
                f"--output {output}: the name ends with {', '.join(_ENDINGS[:-1])} or "
                f"{_ENDINGS[-1]}"
            )
        for option, place in (("--logs", logs), ("--root", root)):
            if not is_uri(place):
                raise ValueError(
                    f"{option} {place}: pods do not see folders of this machine; give a URI such "
                    "as gs://bucket/folder"
                )
        check_place("--root", root)
        checked = checked_options(spec, model=model, overrides=set_, beam=beam, tune=tune)
        checked.spec.logs.of_day(None)  # refuses a table that is one day's
    except ValueError as error:
        raise failed(error) from error
    with capture_output(Path(os.devnull)):
        try:
            import kfp.pipeline_spec  # noqa: F401
        except ModuleNotFoundError as error:
            raise failed(
                ValueError("--kubeflow needs the extra: pip install 'fulcrum-ranker[kubeflow]'")
            ) from error
        from pipeline.kubeflow.job import kubeflow_job, write_job

        job = kubeflow_job(
            checked.spec,
            trainer_settings=checked.trainer_settings,
            logs=logs.rstrip("/"),
            root=ClusterRoot(root.rstrip("/")),
            image=image,
            beam_arguments=checked.beam_arguments,
            with_single_task=with_single_task,
            tune=tune,
        )
        write_job(job, output)
    console = Console(highlight=False)
    tasks = job["pipelineSpec"]["root"]["dag"]["tasks"]
    console.print(
        f"Wrote {output}: {len(tasks)} components, each in a pod of {image}.", soft_wrap=True
    )
    if checked.spec.drift.thresholds:
        console.print(
            "Left out: drift. Kubeflow Pipelines gives a job no statistics of earlier runs.",
            soft_wrap=True,
        )
