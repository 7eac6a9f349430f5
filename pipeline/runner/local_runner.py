"""A runner for TFX pipelines on this machine: one node after the other, metadata in SQLite.

TFX's LocalDagRunner ends well even if a node cannot resolve its inputs, and does not report time,
memory and reused steps. This loop launches the same nodes with the same launcher and checks the
state of every execution.
"""

from __future__ import annotations

import contextlib
import datetime
import logging
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from apache_beam.io.filesystems import FileSystems
from apache_beam.options.pipeline_options import PipelineOptions
from ml_metadata.proto import metadata_store_pb2
from tfx import types
from tfx.dsl.compiler import compiler, constants
from tfx.orchestration import metadata
from tfx.orchestration.local import runner_utils
from tfx.orchestration.pipeline import Pipeline
from tfx.orchestration.portable import launcher, runtime_parameter_utils
from tfx.orchestration.portable.mlmd import execution_lib
from tfx.proto.orchestration import pipeline_pb2

from pipeline.runner.beam_planning import functions_inspected_once
from pipeline.runner.memory_sampler import MemorySampler
from pipeline.runner.node_errors import FAILURE_CAUSE, NodeFailedError, cause_of, details_of
from pipeline.workspace.artifact_files import matching_folders, remove_folder

logger = logging.getLogger(__name__)

_UNDER_WAY = (metadata_store_pb2.Execution.NEW, metadata_store_pb2.Execution.RUNNING)


@dataclass(frozen=True, kw_only=True)
class NodeRun:
    """A node that ended well.

    Attributes:
        node: the name of the node.
        state: `done`, or `cached` if the outputs of an earlier run were reused.
        elapsed_s: wall time in seconds.
        peak_memory_bytes: the largest resident memory of the process during the node.
        outputs: output artifacts by name.
    """

    node: str
    state: Literal["done", "cached"]
    elapsed_s: float
    peak_memory_bytes: int
    outputs: Mapping[str, Sequence[types.Artifact]]


def run_pipeline(
    pipeline: Pipeline,
    *,
    always_run: Sequence[str] = (),
    on_start: Callable[[str], Any] = lambda _: None,
    on_end: Callable[[NodeRun], Any] = lambda _: None,
) -> list[NodeRun]:
    """Run all nodes in order. Nothing else may run on the same root.

    Args:
        pipeline: the TFX pipeline.
        always_run: names of the nodes that are never reused.
        on_start: a function that is called with the name of each node before the node runs.
        on_end: a function that is called after each node that ended well.

    Returns:
        The nodes that ran, in order.

    Raises:
        NodeFailedError: a node failed; the nodes after it did not run.
    """
    compiled = compiler.Compiler().compile(pipeline)
    run_id = datetime.datetime.now().isoformat()
    runtime_parameter_utils.substitute_runtime_parameter(
        compiled, {constants.PIPELINE_RUN_ID_PARAMETER_NAME: run_id}
    )
    deployment = runner_utils.extract_local_deployment_config(compiled)
    connection = deployment.metadata_connection_config.database_connection_config
    with metadata.Metadata(connection) as handle:
        _close_abandoned(handle.store, pipeline.pipeline_info.pipeline_root)
    # A driver may look for files before a Beam pipeline has told Beam's file systems their options.
    FileSystems.set_options(PipelineOptions(list(pipeline.beam_pipeline_args)))
    runs = []
    with _hidden_command_line(), functions_inspected_once():
        for node in (entry.pipeline_node for entry in compiled.nodes):
            name = node.node_info.id
            node.execution_options.caching_options.enable_cache = name not in always_run
            on_start(name)
            try:
                runs.append(_launch(node, compiled, deployment, connection))
            except NodeFailedError as error:
                _keep_cause(connection, run_id, error)
                raise
            on_end(runs[-1])
    return runs


def _launch(
    node: pipeline_pb2.PipelineNode,
    compiled: pipeline_pb2.Pipeline,
    deployment: Any,
    connection: Any,
) -> NodeRun:
    name = node.node_info.id
    began = time.monotonic()
    try:
        with MemorySampler() as memory:
            launched = launcher.Launcher(
                pipeline_node=node,
                mlmd_connection=metadata.Metadata(connection),
                pipeline_info=compiled.pipeline_info,
                pipeline_runtime_spec=compiled.runtime_spec,
                executor_spec=runner_utils.extract_executor_spec(deployment, name),
                custom_driver_spec=runner_utils.extract_custom_driver_spec(deployment, name),
            ).launch()
    except Exception as error:
        logger.exception("node %s failed", name)
        raise NodeFailedError(name, cause_of(error), details_of(error)) from error
    if launched is None or not launched.execution_id:
        raise NodeFailedError(name, "did not run: an input that it needs does not exist")
    with metadata.Metadata(connection) as handle:
        [execution] = handle.store.get_executions_by_id([launched.execution_id])
        outputs = execution_lib.get_output_artifacts(handle, launched.execution_id)
    state = execution.last_known_state
    if state not in (metadata_store_pb2.Execution.COMPLETE, metadata_store_pb2.Execution.CACHED):
        # TFX writes some failures, such as inputs that cannot be resolved, into the store instead
        # of raising.
        result = execution.custom_properties["__execution_result__"].string_value
        state_name = metadata_store_pb2.Execution.State.Name(state)
        raise NodeFailedError(
            name,
            cause_of(RuntimeError(result)) if result else f"its execution ended as {state_name}",
        )
    return NodeRun(
        node=name,
        state="cached" if state == metadata_store_pb2.Execution.CACHED else "done",
        elapsed_s=time.monotonic() - began,
        peak_memory_bytes=memory.peak_bytes,
        outputs=outputs,
    )


def _keep_cause(connection: Any, run_id: str, error: NodeFailedError) -> None:
    """Keep the cause of a failure with its execution, for the report of the run."""
    with metadata.Metadata(connection) as handle:
        run = handle.store.get_context_by_type_and_name("pipeline_run", run_id)
        executions = handle.store.get_executions_by_context(run.id) if run is not None else []
        failed = [
            one for one in executions if one.last_known_state == metadata_store_pb2.Execution.FAILED
        ]
        for execution in failed:
            execution.custom_properties[FAILURE_CAUSE].string_value = error.cause
        handle.store.put_executions(failed)


@contextlib.contextmanager
def _hidden_command_line() -> Iterator[None]:
    """Hide the arguments of this process.

    TFX hands them to absl and Beam, which would take them for their own.
    """
    arguments = sys.argv
    sys.argv = arguments[:1]
    try:
        yield
    finally:
        sys.argv = arguments


def _close_abandoned(store: Any, artifacts: str) -> None:
    """Mark executions that a killed run left unfinished as failed, and remove their outputs.

    No later run would find these outputs.
    """
    abandoned = [
        execution
        for execution in store.get_executions()
        if execution.last_known_state in _UNDER_WAY
    ]
    names = {kind.id: kind.name for kind in store.get_execution_types()}
    for execution in abandoned:
        execution.last_known_state = metadata_store_pb2.Execution.FAILED
        logger.warning(
            "execution %d (%s) of an earlier run was never finished",
            execution.id,
            names[execution.type_id],
        )
        for leftover in matching_folders(artifacts, f"*/*/{execution.id}"):
            remove_folder(leftover)
    if abandoned:
        store.put_executions(abandoned)
