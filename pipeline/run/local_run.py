"""A run of the pipeline on this machine: `fulcrum run` without its command-line options."""

from __future__ import annotations

import contextlib
import datetime
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from feature_spec.spec import FeatureSpec
from pipeline.evaluate.evaluation_result import read_evaluation
from pipeline.evaluate.task_gains import read_gains
from pipeline.push.atomic_publish import versions
from pipeline.run.first_look import first_look, hopeless
from pipeline.run.run_summary import ComponentRun, NodeFailure, RunStatus, RunSummary
from pipeline.run.tuning_result import read_tuning
from pipeline.runner.node_errors import NodeFailedError
from pipeline.runner.progress import RunProgress
from pipeline.spans.span_window import SpanWindow
from pipeline.validate.distribution_shift import read_drift
from pipeline.workspace.capture_output import capture_output
from pipeline.workspace.root import Root, locked

if TYPE_CHECKING:
    from pipeline.runner.local_runner import NodeRun

# The width of tables where there is no terminal with a width of its own.
_WIDTH_OF_FILES = 140


def console_of(file: Any) -> Console:
    """Return a console on a stream."""
    return Console(file=file, width=None if file.isatty() else _WIDTH_OF_FILES, highlight=False)


def run_locally(
    spec: FeatureSpec,
    *,
    trainer_settings: str,
    logs: str,
    root: Root,
    artifacts: str | None = None,
    beam_arguments: Sequence[str],
    with_single_task: bool = False,
    tune: bool = False,
    window: SpanWindow | None = None,
) -> RunSummary:
    """Run the pipeline, and reuse what earlier runs on the root have done.

    Args:
        spec: the feature spec, valid as a whole.
        trainer_settings: JSON of the trainer's settings.
        logs: the folder or URI that the spec's log paths are relative to.
        root: the pipeline root.
        artifacts: the folder or URI for the artifacts; None for the present place of the root.
        beam_arguments: Beam pipeline options.
        with_single_task: whether to train each task alone, too, and to measure the MTL gain.
        tune: whether to search for settings first, as the spec's section `tuner` says.
        window: the days of a run by span; None to use all logs and split them as the spec says.

    Raises:
        pipeline.workspace.root.RootInUseError: another run is using the root.
        pipeline.workspace.root.RootError: the root was made for another spec, keeps its artifacts
            elsewhere, or cannot be written.
    """
    began = time.monotonic()
    log = root.logs / f"run-{datetime.datetime.now():%Y%m%dT%H%M%S}.log"
    with contextlib.ExitStack() as stack:
        root.make()
        stack.enter_context(locked(root.lock))
        root.claim(spec.name, artifacts)
        progress = stack.enter_context(
            RunProgress(console_of(stack.enter_context(capture_output(log))))
        )
        warnings: list[str] = []

        def warned(new: Sequence[str]) -> None:
            for warning in new:
                if warning not in warnings:  # the first look may have told it
                    warnings.append(warning)
                    progress.warned(warning)

        import tfx.version  # noqa: F401  (light; a missing installation is told before anything else)

        progress.started("looking at the logs")
        found = first_look(spec, logs, window)
        failure = hopeless(found, window)
        warned([*found.warnings, *([] if failure else found.failures)])
        if failure is not None:
            sys.stderr.write(f"{failure.details}\n")  # into the log
            return _failed_early(spec, window, failure, began=began, log=log, warnings=warnings)
        progress.started("loading TFX")
        # TFX is slow to import and logs a lot, so it is imported here.
        from pipeline.deployment import LocalDeployment
        from pipeline.ingest.component import LogsExampleGen
        from pipeline.pipeline import ranking_pipeline
        from pipeline.push.push_check import forget_refusals
        from pipeline.run.run_warnings import node_warnings
        from pipeline.runner.local_runner import run_pipeline
        from pipeline.spans.span_nodes import span_nodes

        span = span_nodes(spec, logs, window) if window is not None else None
        ingestion = [*span.warm_up, *span.days] if span else [LogsExampleGen(spec, logs)]
        pipeline = ranking_pipeline(
            spec,
            example_gen=span.example_gen if span else ingestion[0],
            span=span,
            trainer_settings=trainer_settings,
            deployment=LocalDeployment(root),
            beam_arguments=beam_arguments,
            with_single_task=with_single_task,
            tuner=spec.tuner if tune else None,
        )
        forget_refusals(root.artifacts)
        versions_before = versions(root.serving_model)
        runs: dict[str, NodeRun] = {}

        def ended(run: NodeRun) -> None:
            runs[run.node] = run
            progress.ended(run)
            warned(node_warnings(run.node, runs, spec, trainer_settings))

        try:
            # The pusher compares the model with the newest version, which no earlier run can know.
            always_run = ["Pusher"]
            if spec.logs.are_read_anew(by_day=span is not None):
                always_run += [node.id for node in ingestion]
            run_pipeline(pipeline, always_run=always_run, on_start=progress.started, on_end=ended)
        except NodeFailedError as error:
            failure = NodeFailure(node=error.node, cause=error.cause, details=error.details)
        return _summary(
            spec,
            runs,
            window,
            versions_before=versions_before,
            began=began,
            failure=failure,
            log=log,
            warnings=warnings,
        )


def _failed_early(
    spec: FeatureSpec,
    window: SpanWindow | None,
    failure: NodeFailure,
    *,
    began: float,
    log: Path,
    warnings: list[str],
) -> RunSummary:
    """Return the summary of a run that has loaded nothing."""
    return RunSummary(
        status="failed",
        spec=spec.name,
        fingerprint=spec.fingerprint,
        ingestion=None,
        drift=None,
        tuning=None,
        tasks=[],
        ranking=[],
        baseline_note="",
        mtl_gain=None,
        push_check=None,
        version=None,
        newly_pushed=False,
        components=[],
        elapsed_s=time.monotonic() - began,
        log=str(log),
        failure=failure,
        span=window,
        warnings=warnings,
    )


def _summary(
    spec: FeatureSpec,
    runs: Mapping[str, NodeRun],
    window: SpanWindow | None,
    *,
    versions_before: Sequence[int],
    began: float,
    failure: NodeFailure | None,
    log: Path,
    warnings: list[str],
) -> RunSummary:
    from pipeline.ingest.executor import read_summary
    from pipeline.push.push_check import push_check_report
    from pipeline.report.component import REPORT_FILE

    def output(node: str, name: str) -> Any:
        return runs[node].outputs[name][0] if node in runs else None

    examples, evaluation = (
        output(f"{'Window' if window else 'Logs'}ExampleGen", "examples"),
        output("Evaluator", "evaluation"),
    )
    evaluated = read_evaluation(evaluation.uri) if evaluation is not None else None
    drift = output("DriftCheck", "drift")
    tuning, gain = output("Tuner", "tuner_results"), output("MtlGain", "gain")
    checked, pushed = output("PushCheck", "infra_blessing"), output("Pusher", "pushed_model")
    version = None
    if pushed is not None and pushed.get_int_custom_property("pushed"):
        version = int(pushed.get_string_custom_property("pushed_version"))
    written = output("RunReport", "report")
    report = push_check_report(checked) if checked is not None else None
    tasks = evaluated.tasks if evaluated is not None else []
    is_refused = any(verdict.refusals for verdict in tasks) or bool(report and report.refusals)
    status: RunStatus = (
        "pushed" if version is not None else "refused" if is_refused else "superseded"
    )
    return RunSummary(
        status="failed" if failure else status,
        spec=spec.name,
        fingerprint=spec.fingerprint,
        ingestion=read_summary(examples.uri) if examples is not None else None,
        drift=read_drift(drift.uri) if drift is not None else None,
        tuning=read_tuning(tuning.uri, spec.tuner)
        if tuning is not None and spec.tuner is not None
        else None,
        tasks=tasks,
        ranking=evaluated.ranking if evaluated is not None else [],
        baseline_note=evaluated.baseline_note if evaluated is not None else "",
        mtl_gain=read_gains(gain.uri) if gain is not None else None,
        push_check=report,
        version=version,
        newly_pushed=version is not None and version not in versions_before,
        components=[
            ComponentRun(
                node=run.node,
                state=run.state,
                elapsed_s=run.elapsed_s,
                peak_memory_bytes=run.peak_memory_bytes,
            )
            for run in runs.values()
        ],
        elapsed_s=time.monotonic() - began,
        log=str(log),
        failure=failure,
        span=window,
        warnings=warnings,
        report=f"{written.uri}/{REPORT_FILE}" if written is not None else None,
    )
