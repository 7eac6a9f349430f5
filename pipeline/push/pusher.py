"""Pushers, which publish a model with the state of its histories: by rename, or by copying."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

from tfx import types
from tfx.components.pusher import component, executor
from tfx.dsl.components.base import base_component, executor_spec
from tfx.proto import pusher_pb2
from tfx.types import (
    artifact_utils,
    component_spec,
    standard_artifacts,
    standard_component_specs,
)
from tfx.utils import proto_utils
from tfx.utils.typing_utils import ArtifactMultiDict
from typing_extensions import override

from feature_spec.artifacts.history_state import EXPORTED_HISTORIES, HISTORIES, STATE_FILE
from pipeline.push.atomic_publish import publish
from pipeline.workspace.artifact_files import copy_folder, is_file, local_copy

_EXAMPLES = "examples"


def push_destination(folder: str | Path) -> pusher_pb2.PushDestination:
    """Return TFX's description of the folder or URI that a Pusher pushes versions into."""
    filesystem = pusher_pb2.PushDestination.Filesystem(base_directory=str(folder))
    return pusher_pb2.PushDestination(filesystem=filesystem)


class _Executor(executor.Executor):
    @override
    def Do(
        self,
        input_dict: ArtifactMultiDict,
        output_dict: ArtifactMultiDict,
        exec_properties: dict[str, Any],
    ) -> None:
        pushed_model = artifact_utils.get_single_instance(
            output_dict[standard_component_specs.PUSHED_MODEL_KEY]
        )
        if not self.CheckBlessing(input_dict):
            self._MarkNotPushed(pushed_model)
            return
        destination = pusher_pb2.PushDestination()
        proto_utils.json_to_proto(
            exec_properties[standard_component_specs.PUSH_DESTINATION_KEY], destination
        )
        folder = Path(destination.filesystem.base_directory)
        state = _state_of_histories(input_dict)
        with contextlib.ExitStack() as copies:
            model = copies.enter_context(local_copy(self.GetModelPath(input_dict)))
            histories = copies.enter_context(local_copy(state)) if state is not None else None
            version = publish(
                Path(model), folder, {EXPORTED_HISTORIES: Path(histories)} if histories else {}
            )
        if version is None:
            self._MarkNotPushed(pushed_model)
            return
        self._MarkPushed(
            pushed_model, pushed_destination=str(folder / str(version)), pushed_version=str(version)
        )


class _CopyingExecutor(executor.Executor):
    @override
    def Do(
        self,
        input_dict: ArtifactMultiDict,
        output_dict: ArtifactMultiDict,
        exec_properties: dict[str, Any],
    ) -> None:
        super().Do(input_dict, output_dict, exec_properties)
        pushed_model = artifact_utils.get_single_instance(
            output_dict[standard_component_specs.PUSHED_MODEL_KEY]
        )
        place = pushed_model.get_string_custom_property("pushed_destination")
        state = _state_of_histories(input_dict)
        if place and state is not None:
            copy_folder(state, f"{place}/{EXPORTED_HISTORIES}")


def _state_of_histories(input_dict: ArtifactMultiDict) -> str | None:
    """Return the folder of the state that ingestion left beside the examples, if there is one."""
    for examples in input_dict.get(_EXAMPLES, []):
        folder = f"{examples.uri}/{HISTORIES}"
        if is_file(f"{folder}/{STATE_FILE}"):
            return folder
    return None


class _Spec(component_spec.ComponentSpec):
    PARAMETERS = standard_component_specs.PusherSpec.PARAMETERS
    INPUTS = {
        **standard_component_specs.PusherSpec.INPUTS,
        _EXAMPLES: component_spec.ChannelParameter(type=standard_artifacts.Examples, optional=True),
    }
    OUTPUTS = standard_component_specs.PusherSpec.OUTPUTS
    TYPE_ANNOTATION = standard_component_specs.PusherSpec.TYPE_ANNOTATION


class CopyingPusher(component.Pusher):
    """TFX's Pusher, which copies into place; the state of histories follows the model.

    Args:
        folder: the folder or URI that model servers poll.
        examples: the Examples channel of the ingestion, whose state of histories goes with the
            model; None without histories.
        inputs: the inputs of TFX's Pusher, as of `RenamingPusher`.
    """

    SPEC_CLASS = _Spec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(_CopyingExecutor)

    def __init__(
        self,
        *,
        folder: str | Path,
        examples: types.BaseChannel | None = None,
        **inputs: types.BaseChannel | None,
    ) -> None:
        if inputs.get("model") is None and inputs.get("infra_blessing") is None:
            raise ValueError("a pusher needs 'model', or 'infra_blessing' that holds a model")
        base_component.BaseComponent.__init__(
            self,
            spec=_Spec(
                push_destination=push_destination(folder),
                custom_config="null",
                pushed_model=types.Channel(type=standard_artifacts.PushedModel),
                **({_EXAMPLES: examples} if examples is not None else {}),
                **{name: channel for name, channel in inputs.items() if channel is not None},
            ),
        )


class RenamingPusher(CopyingPusher):
    """TFX's Pusher for one folder, which publishes by rename instead of copying into place.

    Args:
        folder: the folder that model servers poll, such as ``serving_model``.
        model: the Model channel of the model to push. None: `infra_blessing` holds the model.
        infra_blessing: the InfraBlessing channel of `PushCheck`, which holds the model to push with
            its warm-up requests. None: no check before the push, and `model` is needed.
        model_blessing: the ModelBlessing channel of the Evaluator. None: `infra_blessing` decides.
        examples: the Examples channel of the ingestion, whose state of histories goes with the
            model; None without histories.
    """

    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(_Executor)

    def __init__(
        self,
        *,
        folder: str | Path,
        model: types.BaseChannel | None = None,
        infra_blessing: types.BaseChannel | None = None,
        model_blessing: types.BaseChannel | None = None,
        examples: types.BaseChannel | None = None,
    ) -> None:
        super().__init__(
            folder=folder,
            examples=examples,
            model=model,
            model_blessing=model_blessing,
            infra_blessing=infra_blessing,
        )
