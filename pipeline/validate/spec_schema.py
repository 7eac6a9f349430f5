"""The component that writes the schema that follows from a spec.

TFX's ImportSchemaGen copies a file, which the machine that a pipeline is made on may have and the
one that runs it may not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from google.protobuf import text_format
from tfx import types
from tfx.components.schema_gen import executor
from tfx.dsl.components.base import base_component, base_executor, executor_spec
from tfx.dsl.io import fileio
from tfx.types import artifact_utils, component_spec, standard_artifacts
from tfx.utils.typing_utils import ArtifactMultiDict
from typing_extensions import override

if TYPE_CHECKING:
    from tensorflow_metadata.proto.v0 import schema_pb2


class _Executor(base_executor.BaseExecutor):
    @override
    def Do(
        self,
        input_dict: ArtifactMultiDict,
        output_dict: ArtifactMultiDict,
        exec_properties: dict[str, Any],
    ) -> None:
        folder = artifact_utils.get_single_uri(output_dict["schema"])
        with fileio.open(f"{folder}/{executor.DEFAULT_FILE_NAME}", "w") as file:
            file.write(exec_properties["text"])


class _Spec(component_spec.ComponentSpec):
    PARAMETERS = {"text": component_spec.ExecutionParameter(type=str)}
    INPUTS: dict[str, component_spec.ChannelParameter] = {}
    OUTPUTS = {"schema": component_spec.ChannelParameter(type=standard_artifacts.Schema)}


class SpecSchema(base_component.BaseComponent):
    """Gives a schema, which is a part of the pipeline itself, as the artifact that TFX's components read."""

    SPEC_CLASS = _Spec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(_Executor)

    def __init__(self, schema: schema_pb2.Schema) -> None:
        text = text_format.MessageToString(schema)
        super().__init__(
            spec=_Spec(text=text, schema=types.Channel(type=standard_artifacts.Schema))
        )
