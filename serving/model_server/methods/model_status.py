"""GetModelStatus: the state of every version that a model has or had."""

from __future__ import annotations

from typing import TYPE_CHECKING

import grpc
from tensorflow_serving.apis.get_model_status_pb2 import (
    GetModelStatusRequest,
    GetModelStatusResponse,
)

from serving.model_server.methods.model_spec import require_model_spec
from serving.model_server.status_error import StatusError

if TYPE_CHECKING:
    from serving.model_server.versions.model_registry import ServedModels


def model_status(models: ServedModels, request: GetModelStatusRequest) -> GetModelStatusResponse:
    """Answers a request, newest version first. A version label is ignored.

    Raises:
        StatusError: with TensorFlow Serving's code and text.
    """
    require_model_spec(request)
    spec = request.model_spec
    model = models.named(spec.name)
    versions = model.statuses() if model else []
    if not versions:
        raise StatusError(
            grpc.StatusCode.NOT_FOUND, f"Could not find any versions of model {spec.name}"
        )
    if spec.WhichOneof("version_choice") == "version":
        versions = [version for version in versions if version.number == spec.version.value]
        if not versions:
            raise StatusError(
                grpc.StatusCode.NOT_FOUND,
                f"Could not find version {spec.version.value} of model {spec.name}",
            )
    response = GetModelStatusResponse()
    for version in versions:
        answer = response.model_version_status.add(version=version.number, state=version.state)
        answer.status.SetInParent()
        if version.error:
            answer.status.error_code = version.error.code.value[0]
            answer.status.error_message = version.error.text
    return response
