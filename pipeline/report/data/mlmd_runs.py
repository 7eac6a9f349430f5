"""The runs of a pipeline root, read from ML Metadata.

TFX, which is slow to load, is not needed.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ml_metadata.metadata_store.metadata_store import MetadataStore
from ml_metadata.proto import metadata_store_pb2 as mlmd

from pipeline.report.data.load_run import Outputs
from pipeline.report.data.run_data import Failure
from pipeline.runner.node_errors import FAILURE_CAUSE
from pipeline.workspace.root import Root

PUSHED = ("Pusher", "pushed_model")
_UNFINISHED = "it has not ended, or was interrupted"
_ENDED_WELL = (mlmd.Execution.COMPLETE, mlmd.Execution.CACHED)


class NoSuchRunError(ValueError):
    """A root has no runs, or not the run that is asked for."""


@dataclass(frozen=True, kw_only=True)
class RecordedRun:
    """One `fulcrum run` on a root.

    Attributes:
        number: the number of the run, counted from 1.
        began: the time at which the run began, ISO 8601.
        spec: the name of the spec.
        outputs: folders or URIs of artifacts by component and output, also of reused steps.
        version: the version that the model was pushed as; None unless pushed.
        failure: the component that failed or was interrupted; None if there is none.
    """

    number: int
    began: str
    spec: str
    outputs: Outputs
    version: int | None
    failure: Failure | None


def recorded_run(root: Path, number: int | None = None) -> RecordedRun:
    """Return a run of a root.

    Args:
        root: the pipeline root.
        number: the number of the run, counted from 1; None for the last run.

    Raises:
        NoSuchRunError: the root has no such run.
    """
    path = Root(root).metadata
    if not path.exists():
        raise NoSuchRunError(
            f"{root} is no pipeline root: it has no {path.name}, which `fulcrum run --root` makes"
        )
    config = mlmd.ConnectionConfig()
    config.sqlite.filename_uri = str(path)
    config.sqlite.connection_mode = mlmd.SqliteMetadataSourceConfig.READONLY
    store = MetadataStore(config)
    runs = sorted(store.get_contexts_by_type("pipeline_run"), key=lambda run: run.id)
    chosen = len(runs) if number is None else number
    if not 1 <= chosen <= len(runs):
        wanted = (
            "has no runs" if not runs else f"has no run {number}; its runs are 1 to {len(runs)}"
        )
        raise NoSuchRunError(f"{root} {wanted}")
    return _recorded(store, runs[chosen - 1], chosen)


def _recorded(store: Any, run: Any, number: int) -> RecordedRun:
    spec = component = ""
    outputs: dict[tuple[str, str], str] = {}
    version: int | None = None
    failure: Failure | None = None
    for execution in sorted(store.get_executions_by_context(run.id), key=lambda one: one.id):
        contexts = {
            context.type: context.name for context in store.get_contexts_by_execution(execution.id)
        }
        spec = contexts["pipeline"]
        component = contexts["node"].removeprefix(f"{spec}.")
        if execution.last_known_state not in _ENDED_WELL:
            cause = execution.custom_properties[FAILURE_CAUSE].string_value
            failure = Failure(component=component, cause=cause or _UNFINISHED)
            continue
        events = {
            event.artifact_id: event.path.steps[0].key
            for event in store.get_events_by_execution_ids([execution.id])
            if event.type == mlmd.Event.OUTPUT
        }
        for artifact in store.get_artifacts_by_id(list(events)):
            outputs[component, events[artifact.id]] = artifact.uri
            if artifact.custom_properties["pushed"].int_value:
                version = int(artifact.custom_properties["pushed_version"].string_value)
    if failure is None and PUSHED not in outputs:
        failure = Failure(component=component or "its beginning", cause=_UNFINISHED)
    return RecordedRun(
        number=number, began=run.name, spec=spec, outputs=outputs, version=version, failure=failure
    )
