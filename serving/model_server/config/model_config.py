"""The models that an operator wants served, read from TensorFlow Serving's ModelServerConfig."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tensorflow_serving.config.file_system_storage_path_source_pb2 import (
    FileSystemStoragePathSourceConfig,
)
from tensorflow_serving.config.model_server_config_pb2 import ModelConfig as ModelConfigProto
from tensorflow_serving.config.model_server_config_pb2 import ModelServerConfig, ModelType

from serving.model_server.status_error import invalid_argument
from serving.model_server.versions.version import VersionPolicy

PLATFORM = "tensorflow"


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """A model to serve.

    Attributes:
        name: The model's name in requests.
        platform: The platform that runs the model; only `PLATFORM` can be served.
        folder: The folder of the model's versions.
        policy: The policy that chooses the versions to keep loaded.
        labels: The versions by label.
        wants_log: Whether requests are to be logged, which only custom builds of a server do.
    """

    name: str
    platform: str
    folder: Path
    policy: VersionPolicy
    labels: Mapping[str, int]
    wants_log: bool


def model_configs(config: ModelServerConfig) -> list[ModelConfig]:
    """Return the models of a configuration.

    Raises:
        StatusError: INVALID_ARGUMENT; the configuration is wrong whatever is served at the moment.
    """
    if config.WhichOneof("config") != "model_config_list":
        raise invalid_argument(
            "ServerModelConfig type not supported by HandleReloadConfigRequest. Only "
            "ModelConfigList is currently supported"
        )
    models = [_model_config(proto) for proto in config.model_config_list.config]
    names = [model.name for model in models]
    for name in names:
        if names.count(name) > 1:
            raise invalid_argument(f"Illegal to list model {name} multiple times in config list")
    return models


def _model_config(proto: ModelConfigProto) -> ModelConfig:
    if not proto.name:
        raise invalid_argument(f"A model has no name; its base_path is {proto.base_path!r}")
    if not Path(proto.base_path).is_absolute() or "\0" in proto.base_path:
        raise invalid_argument(
            f"Expected model {proto.name} to have an absolute path or URI; got "
            f"base_path()={proto.base_path}"
        )
    return ModelConfig(
        name=proto.name,
        platform=_platform(proto),
        folder=Path(proto.base_path),
        policy=_policy(proto.model_version_policy),
        labels=dict(proto.version_labels),
        wants_log=proto.HasField("logging_config"),
    )


def _platform(proto: ModelConfigProto) -> str:
    """Return the platform, which older configurations give as a number."""
    if proto.model_type == ModelType.MODEL_TYPE_UNSPECIFIED:
        if not proto.model_platform:
            raise invalid_argument(
                "Illegal setting neither ModelServerConfig::model_type (deprecated) nor "
                "ModelServerConfig::model_platform, "
                f"model name is {proto.name}"
            )
        return proto.model_platform
    if proto.model_platform:
        raise invalid_argument(
            "Illegal setting both ModelServerConfig::model_type (deprecated) and "
            "ModelServerConfig::model_platform."
        )
    if proto.model_type != ModelType.TENSORFLOW:
        raise invalid_argument(
            f"ModelServerConfig::model_type choice {proto.model_type} not supported."
        )
    return PLATFORM


def _policy(proto: FileSystemStoragePathSourceConfig.ServableVersionPolicy) -> VersionPolicy:
    choice = proto.WhichOneof("policy_choice")
    if choice == "all":
        return VersionPolicy.ALL
    if choice == "specific":
        return VersionPolicy(newest=None, numbers=frozenset(proto.specific.versions))
    return VersionPolicy(newest=max(proto.latest.num_versions, 1))
