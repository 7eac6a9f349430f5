"""A Pusher that publishes by rename."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tfx import types
from tfx.components.pusher import component, executor
from tfx.dsl.components.base import executor_spec
from tfx.proto import pusher_pb2
from tfx.types import artifact_utils, standard_component_specs
from tfx.utils import proto_utils
from tfx.utils.typing_utils import ArtifactMultiDict
from typing_extensions import override

from pipeline.push.atomic_publish import publish
from pipeline.workspace.artifact_files import local_copy


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
        with local_copy(self.GetModelPath(input_dict)) as model:
            version = publish(Path(model), folder)
        if version is None:
            self._MarkNotPushed(pushed_model)
            return
        self._MarkPushed(
            pushed_model, pushed_destination=str(folder / str(version)), pushed_version=str(version)
        )


class RenamingPusher(component.Pusher):
    """TFX's Pusher for one folder, which publishes by rename instead of copying into place.

    Args:
        folder: the folder that model servers poll, such as ``serving_model``.
        model: the Model channel of the model to push. None: `infra_blessing` holds the model.
        infra_blessing: the InfraBlessing channel of `PushCheck`, which holds the model to push with
            its warm-up requests. None: no check before the push, and `model` is needed.
        model_blessing: the ModelBlessing channel of the Evaluator. None: `infra_blessing` decides.
    """

    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(_Executor)

    def __init__(
        self,
        *,
        folder: str | Path,
        model: types.BaseChannel | None = None,
        infra_blessing: types.BaseChannel | None = None,
        model_blessing: types.BaseChannel | None = None,
    ) -> None:
        super().__init__(
            model=model,
            model_blessing=model_blessing,
            infra_blessing=infra_blessing,
            push_destination=push_destination(folder),
        )
