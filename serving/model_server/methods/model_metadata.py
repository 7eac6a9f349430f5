"""GetModelMetadata: the signatures of a version."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tensorflow_serving.apis.get_model_metadata_pb2 import (
    GetModelMetadataRequest,
    GetModelMetadataResponse,
    SignatureDefMap,
)

from serving.model_server.methods.model_spec import require_model_spec
from serving.model_server.status_error import invalid_argument

if TYPE_CHECKING:
    from serving.model_server.versions.model_registry import ServedModels

SIGNATURE_DEF = "signature_def"


def model_metadata(
    models: ServedModels, request: GetModelMetadataRequest
) -> GetModelMetadataResponse:
    """Answers a request; its only metadata field is `SIGNATURE_DEF`.

    Raises:
        StatusError: with TensorFlow Serving's code and text.
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
