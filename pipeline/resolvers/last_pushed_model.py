"""Which model a candidate is compared with where no metadata of earlier runs can be asked."""

from __future__ import annotations

from typing import Any

from tfx import types
from tfx.dsl.components.base import base_component, base_executor, executor_spec
from tfx.dsl.io import fileio
from tfx.types import artifact_utils, component_spec, standard_artifacts
from tfx.utils import io_utils, path_utils
from tfx.utils.typing_utils import ArtifactMultiDict
from typing_extensions import override


class _Executor(base_executor.BaseExecutor):
    @override
    def Do(
        self,
        input_dict: ArtifactMultiDict,
        output_dict: ArtifactMultiDict,
        exec_properties: dict[str, Any],
    ) -> None:
        folder = exec_properties["serving_model"]
        # Listings of object stores end names of folders with a slash.
        names = (
            [name.rstrip("/") for name in fileio.listdir(folder)] if fileio.isdir(folder) else []
        )
        if versions := [int(name) for name in names if name.isdecimal()]:
            model = artifact_utils.get_single_uri(output_dict["model"])
            io_utils.copy_dir(f"{folder}/{max(versions)}", path_utils.serving_model_dir(model))


class _Spec(component_spec.ComponentSpec):
    PARAMETERS = {"serving_model": component_spec.ExecutionParameter(type=str)}
    INPUTS: dict[str, component_spec.ChannelParameter] = {}
    OUTPUTS = {"model": component_spec.ChannelParameter(type=standard_artifacts.Model)}


class LastPushedModel(base_component.BaseComponent):
    """Gives a copy of the newest version below a folder, and an empty artifact where there is none.

    Kubeflow Pipelines runs no resolvers, and TFX has none for it that leaves out the candidate. A
    candidate is never among the versions: it is pushed after it was compared.
    """

    SPEC_CLASS = _Spec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(_Executor)

    def __init__(self, serving_model: str) -> None:
        super().__init__(
            spec=_Spec(
                serving_model=serving_model, model=types.Channel(type=standard_artifacts.Model)
            )
        )
