"""Runs out of a metadata store as TFX writes it."""

from __future__ import annotations

from pathlib import Path

import pytest
from ml_metadata.metadata_store.metadata_store import MetadataStore
from ml_metadata.proto import metadata_store_pb2 as mlmd

from pipeline.report.data.mlmd_runs import NoSuchRunError, recorded_run
from pipeline.report.data.run_data import Failure
from pipeline.runner.node_errors import FAILURE_CAUSE

COMPLETE, CACHED, FAILED, RUNNING = (
    mlmd.Execution.COMPLETE, mlmd.Execution.CACHED, mlmd.Execution.FAILED, mlmd.Execution.RUNNING,
)  # fmt: skip


class Store:
    """Writes runs as TFX does: contexts of the pipeline, the run and the node; executions; artifacts with events."""

    def __init__(self, root: Path) -> None:
        config = mlmd.ConnectionConfig()
        config.sqlite.filename_uri = str(root / "metadata.sqlite")
        config.sqlite.connection_mode = mlmd.SqliteMetadataSourceConfig.READWRITE_OPENCREATE
        self.store = MetadataStore(config)
        self.types = {
            name: self.store.put_context_type(mlmd.ContextType(name=name))
            for name in ("pipeline", "pipeline_run", "node")
        }
        self.execution_type = self.store.put_execution_type(mlmd.ExecutionType(name="component"))
        self.artifact_type = self.store.put_artifact_type(mlmd.ArtifactType(name="artifact"))
        self.contexts: dict[str, mlmd.Context] = {}

    def context(self, kind: str, name: str) -> mlmd.Context:
        if name not in self.contexts:
            made = mlmd.Context(type_id=self.types[kind], name=name)
            [made.id] = self.store.put_contexts([made])
            self.contexts[name] = made
        return self.contexts[name]

    def add(
        self,
        run: str,
        node: str,
        state: int,
        output: str = "",
        uri: str = "",
        version: int | None = None,
        cause: str = "",
    ) -> None:
        execution = mlmd.Execution(type_id=self.execution_type, last_known_state=state)
        if cause:
            execution.custom_properties[FAILURE_CAUSE].string_value = cause
        pairs = []
        if output:
            artifact = mlmd.Artifact(type_id=self.artifact_type, uri=uri)
            if version is not None:
                artifact.custom_properties["pushed"].int_value = 1
                artifact.custom_properties["pushed_version"].string_value = str(version)
            event = mlmd.Event(type=mlmd.Event.OUTPUT)
            event.path.steps.add().key = output
            pairs.append((artifact, event))
        contexts = [
            self.context("pipeline", "toy"),
            self.context("pipeline_run", run),
            self.context("node", f"toy.{node}"),
        ]
        self.store.put_execution(execution, pairs, contexts)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The first run was pushed, the second reused its examples and failed, the third was killed."""
    store = Store(tmp_path)
    store.add("2026-01-07T08:00:00", "LogsExampleGen", COMPLETE, "examples", "/r/examples/1")
    store.add("2026-01-07T08:00:00", "Pusher", COMPLETE, "pushed_model", "/r/pushed/2", version=17)
    store.add("2026-01-08T08:00:00", "LogsExampleGen", CACHED, "examples", "/r/examples/1")
    store.add("2026-01-08T08:00:00", "Trainer", FAILED, cause="ValueError: too few examples")
    store.add("2026-01-09T08:00:00", "LogsExampleGen", RUNNING)
    return tmp_path


def test_a_run_has_its_outputs_and_its_version(root: Path) -> None:
    run = recorded_run(root, 1)
    assert (run.spec, run.began, run.version, run.failure) == (
        "toy",
        "2026-01-07T08:00:00",
        17,
        None,
    )
    assert run.outputs["LogsExampleGen", "examples"] == "/r/examples/1"


def test_outputs_that_were_reused_are_a_runs_own(root: Path) -> None:
    assert recorded_run(root, 2).outputs == {("LogsExampleGen", "examples"): "/r/examples/1"}


def test_a_failure_has_its_component_and_cause(root: Path) -> None:
    assert recorded_run(root, 2).failure == Failure(
        component="Trainer", cause="ValueError: too few examples"
    )


def test_the_last_run_is_the_default_and_a_killed_one_was_interrupted(root: Path) -> None:
    run = recorded_run(root)
    assert (run.number, run.failure) == (
        3,
        Failure(component="LogsExampleGen", cause="it has not ended, or was interrupted"),
    )


def test_a_number_that_no_run_has_is_refused_with_the_valid_ones(root: Path) -> None:
    with pytest.raises(NoSuchRunError, match="has no run 4; its runs are 1 to 3"):
        recorded_run(root, 4)


def test_a_folder_without_runs_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NoSuchRunError, match="is no pipeline root: it has no metadata.sqlite"):
        recorded_run(tmp_path)
    Store(tmp_path)
    with pytest.raises(NoSuchRunError, match="has no runs"):
        recorded_run(tmp_path)
