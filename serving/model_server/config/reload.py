"""HandleReloadConfigRequest: what is served, replaced as a whole.

All of a configuration is checked before any of it is taken over, so that a wrong one changes
nothing. TensorFlow Serving takes one without `model_platform` over and then refuses every later
one.
"""

from __future__ import annotations

import grpc
from tensorflow_serving.apis.model_management_pb2 import ReloadConfigRequest, ReloadConfigResponse
from tensorflow_serving.config.model_server_config_pb2 import ModelServerConfig

from serving.model_server.config.model_config import PLATFORM, ModelConfig, model_configs
from serving.model_server.status_error import StatusError, invalid_argument
from serving.model_server.versions.model_registry import ModelRegistry
from serving.model_server.versions.served_model import ServedModel
from serving.model_server.versions.version import VersionPolicy


def reload_config(
    models: ModelRegistry, request: ReloadConfigRequest, *, labels_may_wait: bool = False
) -> ReloadConfigResponse:
    """Answer a ReloadConfig request once what it asks for is loaded, or cannot be.

    Args:
        models: The served models.
        request: The request, which holds the configuration.
        labels_may_wait: See `apply_config`.

    Raises:
        StatusError: The request is refused, with TensorFlow Serving's code and text.
    """
    added = apply_config(models, request.config, labels_may_wait=labels_may_wait)
    failures = [
        failure
        for model in added
        if not model.available_versions()
        for failure in _failures(model)[:1]
    ]
    if failures:
        text = f"{len(failures)} servable(s) did not become available: {{{''.join(failures)}}}"
        raise StatusError(grpc.StatusCode.UNKNOWN, text)
    response = ReloadConfigResponse()
    response.status.SetInParent()
    return response


def apply_config(
    models: ModelRegistry, config: ModelServerConfig, *, labels_may_wait: bool = False
) -> list[ServedModel]:
    """Serve what a configuration lists, and nothing else.

    Args:
        models: The served models.
        config: The wanted configuration.
        labels_may_wait: Whether a new label may name a version that is not AVAILABLE yet.

    Returns:
        The models that were not served before.

    Raises:
        StatusError: The configuration is refused. If it is for its `logging_config`, the rest is in
            force, as in TensorFlow Serving; otherwise nothing has changed.
    """
    configs = model_configs(config)
    with models.changing:
        served = {model.name: model for model in models.all if model.policy != VersionPolicy.NONE}
        for wanted in configs:
            _check_platform(wanted, served.get(wanted.name))
        for wanted in configs:
            _check_labels(wanted, served.get(wanted.name), labels_may_wait)
        for name in served.keys() - {wanted.name for wanted in configs}:
            served[name].policy, served[name].labels = VersionPolicy.NONE, {}
        for wanted in configs:
            _set(models, wanted)
        models.poll()
        if any(wanted.wants_log for wanted in configs):
            raise invalid_argument("No request-logger-creator provided.")
        return [
            model
            for model in models.all
            if model.name not in served and model.policy != VersionPolicy.NONE
        ]


def _check_platform(wanted: ModelConfig, served: ServedModel | None) -> None:
    if wanted.platform == PLATFORM:
        return
    if served is None:
        raise invalid_argument(
            f"Model {wanted.name} requests unsupported platform {wanted.platform}"
        )
    raise invalid_argument(
        f"Illegal to change a model's platform. For model {wanted.name} platform was {PLATFORM} "
        f"and new platform requested is {wanted.platform}"
    )


def _check_labels(wanted: ModelConfig, served: ServedModel | None, may_wait: bool) -> None:
    available = served.available_versions() if served else []
    labels = served.labels if served else {}
    for label, number in wanted.labels.items():
        if number not in available and not (may_wait and labels.get(label, number) == number):
            raise StatusError(
                grpc.StatusCode.FAILED_PRECONDITION,
                f"Request to assign label to version {number} of model {wanted.name}, "
                "which is not currently available for inference",
            )


def _set(models: ModelRegistry, wanted: ModelConfig) -> None:
    model = models.named(wanted.name)
    if model is None:
        model = ServedModel(wanted.folder, name=wanted.name)
        models.all = [*models.all, model]
    model.root, model.policy, model.labels = wanted.folder, wanted.policy, dict(wanted.labels)


def _failures(model: ServedModel) -> list[str]:
    """Return the reasons why versions could not be loaded, newest first."""
    return [
        f"{{{{name: {model.name} version: {version.number}}} due to error: "
        f"{version.error.code.name}: {version.error.text}}}, "
        for version in model.statuses()
        if version.error
    ]
