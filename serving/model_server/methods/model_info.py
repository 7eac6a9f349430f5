"""GetModelMetadata and GetModelStatus: the signatures of a version, the states of all versions."""

from __future__ import annotations

import grpc
from tensorflow_serving.apis.get_model_metadata_pb2 import (
    GetModelMetadataRequest,
    GetModelMetadataResponse,
    SignatureDefMap,
)
from tensorflow_serving.apis.get_model_status_pb2 import (
    GetModelStatusRequest,
    GetModelStatusResponse,
)

from serving.model_server.methods.request_checks import require_model_spec
from serving.model_server.status_error import StatusError, invalid_argument
from serving.model_server.versions.model_registry import ModelRegistry

SIGNATURE_DEF = "signature_def"


def model_metadata(
    models: ModelRegistry, request: GetModelMetadataRequest
) -> GetModelMetadataResponse:
    """Answer a GetModelMetadata request, whose only metadata field is `SIGNATURE_DEF`.

    Raises:
        StatusError: The request is refused, with TensorFlow Serving's code and text.
    """
    require_model_spec(request)
    if not request.metadata_field:
        raise invalid_argument("GetModelMetadataRequest must specify at least one metadata_field")
    for field in request.metadata_field:
        if field != SIGNATURE_DEF:
            raise invalid_argument(f"Metadata field {field} is not supported")
    with models.use(request.model_spec) as version:
        response = GetModelMetadataResponse()
        response.model_spec.name = request.model_spec.name
        response.model_spec.version.value = version.number
        response.metadata[SIGNATURE_DEF].Pack(
            SignatureDefMap(signature_def=version.model.signatures)
        )
        return response


def model_status(models: ModelRegistry, request: GetModelStatusRequest) -> GetModelStatusResponse:
    """Answer a GetModelStatus request, newest version first; a version label is ignored.

    Raises:
        StatusError: The request is refused, with TensorFlow Serving's code and text.
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
