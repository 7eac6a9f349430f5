"""A pipeline of two nodes that write a text, for tests of the runner. Imports TFX."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from ml_metadata.proto import metadata_store_pb2  # noqa: F401
from tfx import types
from tfx.dsl.components.base import base_component, base_executor, executor_spec
from tfx.dsl.components.common import resolver
from tfx.orchestration import metadata
from tfx.orchestration.pipeline import Pipeline
from tfx.types import component_spec, standard_artifacts

from pipeline.runner.local_runner import run_pipeline  # noqa: F401

Model = standard_artifacts.Model


class Write(base_executor.BaseExecutor):
    def Do(self, input_dict: Any, output_dict: Any, exec_properties: dict[str, Any]) -> None:  # noqa: N802
        if exec_properties["text"] == "fail":
            error = ValueError("cannot write\nline 3: too long")
            error.add_note("a note")
            raise error
        text = (
            " ".join(sys.argv)
            if exec_properties["text"] == "arguments"
            else exec_properties["text"]
        )
        (Path(output_dict["model"][0].uri) / "text").write_text(text)


class WriteSpec(component_spec.ComponentSpec):
    PARAMETERS = {"text": component_spec.ExecutionParameter(type=str)}
    INPUTS = {"source": component_spec.ChannelParameter(type=Model, optional=True)}
    OUTPUTS = {"model": component_spec.ChannelParameter(type=Model)}


class Writer(base_component.BaseComponent):
    SPEC_CLASS = WriteSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Write)

    def __init__(self, text: str, source: Any = None) -> None:
        super().__init__(spec=WriteSpec(text=text, source=source, model=types.Channel(type=Model)))


class ReadSpec(component_spec.ComponentSpec):
    PARAMETERS: dict[str, Any] = {}
    INPUTS = {"source": component_spec.ChannelParameter(type=Model)}
    OUTPUTS: dict[str, Any] = {}


class Reader(base_component.BaseComponent):
    SPEC_CLASS = ReadSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Write)

    def __init__(self, source: Any) -> None:
        super().__init__(spec=ReadSpec(source=source))


class Nothing(resolver.ResolverStrategy):
    def resolve_artifacts(self, store: Any, input_dict: dict[str, Any]) -> dict[str, Any]:
        return {key: [] for key in input_dict}


def two_writers(root: Path, first: str = "a", second: str = "b") -> Pipeline:
    one = Writer(first).with_id("First")
    return pipeline_of(root, one, Writer(second, source=one.outputs["model"]).with_id("Second"))


def pipeline_of(root: Path, *components: Any) -> Pipeline:
    return Pipeline(
        pipeline_name="tiny",
        pipeline_root=str(root / "artifacts"),
        components=list(components),
        enable_cache=True,
        metadata_connection_config=metadata.sqlite_metadata_connection_config(
            str(root / "metadata.sqlite")
        ),
    )
