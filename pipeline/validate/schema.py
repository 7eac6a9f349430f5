"""The schema that the spec prescribes for ingested examples, and the component that writes it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from google.protobuf import text_format
from tfx import types
from tfx.components.schema_gen import executor
from tfx.dsl.components.base import base_component, base_executor, executor_spec
from tfx.types import artifact_utils, component_spec, standard_artifacts
from tfx.utils.typing_utils import ArtifactMultiDict
from typing_extensions import override

from feature_spec import names
from feature_spec.fields.field import (
    Field,
    MultiCategoricalField,
    NumericField,
    SequenceField,
    VectorField,
)
from feature_spec.spec import FeatureSpec
from pipeline.workspace.artifact_files import write_bytes

if TYPE_CHECKING:
    from tensorflow_metadata.proto.v0 import schema_pb2


def schema_from_spec(spec: FeatureSpec) -> schema_pb2.Schema:
    """Return types, presence, value counts and ranges of every feature that ingestion writes.

    A field of one value is a dense tensor of shape (B,), and a vector one of shape (B, d), in which
    ``""`` and NaN stand for a missing value, so that a ranking request and a stored example reach
    the transform graph in one form. A list is ragged text of shape (B, T).
    """
    from tensorflow_metadata.proto.v0 import schema_pb2

    schema = schema_pb2.Schema()
    tensors = schema.tensor_representation_group[""].tensor_representation
    for name, field in spec.fields.items():
        feature = schema.feature.add(name=name)
        feature.presence.min_fraction = field.min_presence
        # A field that no example has is a broken log, whatever share the spec asks for. A history
        # may well be empty.
        feature.presence.min_count = 0 if field.history is not None else 1
        dense = tensors[name]
        if isinstance(field, MultiCategoricalField | SequenceField):
            feature.type = schema_pb2.BYTES
            feature.value_count.min = 1
            dense.varlen_sparse_tensor.column_name = name
            continue
        dense.dense_tensor.column_name = name
        dense.dense_tensor.shape.SetInParent()
        _describe_values(field, feature, dense.dense_tensor)

    for task_name, task in spec.tasks.items():
        label = _always_present(schema, names.label_name(task_name), schema_pb2.FLOAT)
        mask = _always_present(schema, names.mask_name(task_name), schema_pb2.FLOAT)
        mask.float_domain.min, mask.float_domain.max = 0.0, 1.0
        if task.kind == "binary":
            label.float_domain.min, label.float_domain.max = 0.0, 1.0
        for feature in (label, mask):
            tensors[feature.name].dense_tensor.column_name = feature.name
            tensors[feature.name].dense_tensor.shape.SetInParent()

    _add_weight(schema, spec)
    keys = {
        names.REQUEST_KEY: spec.keys.request,
        names.USER_KEY: spec.keys.user,
        names.ITEM_KEY: spec.keys.item,
    }
    for name, column in keys.items():
        if column is not None:
            _always_present(schema, name, schema_pb2.BYTES)
    if spec.keys.event_time is not None:
        _always_present(schema, names.EVENT_TIME, schema_pb2.INT)
    _add_negative_rates(schema, spec)
    return schema


def _describe_values(field: Field, feature: schema_pb2.Feature, dense: Any) -> None:
    """Describe the values of a field of one value or of a vector, and its missing value."""
    from tensorflow_metadata.proto.v0 import schema_pb2

    values = field.dimension if isinstance(field, VectorField) else 1
    feature.value_count.min = feature.value_count.max = values
    if not isinstance(field, NumericField | VectorField):
        feature.type = schema_pb2.BYTES
        dense.default_value.bytes_value = b""
        return
    feature.type = schema_pb2.FLOAT
    dense.default_value.float_value = float("nan")
    if isinstance(field, VectorField):
        dense.shape.dim.add(size=field.dimension)
        if field.weights_of is not None:
            feature.float_domain.min = 0.0
        return
    if field.minimum is not None:
        feature.float_domain.min = field.minimum
    if field.maximum is not None:
        feature.float_domain.max = field.maximum


def optional_fields(spec: FeatureSpec) -> list[str]:
    """Return the fields that a split which trains nothing may lack altogether."""
    return [name for name, field in spec.fields.items() if not field.min_presence]


def _add_weight(schema: schema_pb2.Schema, spec: FeatureSpec) -> None:
    from tensorflow_metadata.proto.v0 import schema_pb2

    if spec.weight is not None:
        weight = _always_present(schema, names.EXAMPLE_WEIGHT, schema_pb2.FLOAT)
        weight.float_domain.min = 0.0
        dense = schema.tensor_representation_group[""].tensor_representation[weight.name]
        dense.dense_tensor.column_name = weight.name
        dense.dense_tensor.shape.SetInParent()


def _add_negative_rates(schema: schema_pb2.Schema, spec: FeatureSpec) -> None:
    from tensorflow_metadata.proto.v0 import schema_pb2

    for task in spec.negative_rates():
        _always_present(schema, names.negative_rate_name(task), schema_pb2.FLOAT)


def _always_present(schema: schema_pb2.Schema, name: str, kind: int) -> schema_pb2.Feature:
    feature = schema.feature.add(name=name, type=kind)
    feature.presence.min_fraction = 1.0
    feature.presence.min_count = 1
    feature.value_count.min = feature.value_count.max = 1
    return feature


class _Executor(base_executor.BaseExecutor):
    @override
    def Do(
        self,
        input_dict: ArtifactMultiDict,
        output_dict: ArtifactMultiDict,
        exec_properties: dict[str, Any],
    ) -> None:
        folder = artifact_utils.get_single_uri(output_dict["schema"])
        write_bytes(f"{folder}/{executor.DEFAULT_FILE_NAME}", exec_properties["text"].encode())


class _Spec(component_spec.ComponentSpec):
    PARAMETERS = {"text": component_spec.ExecutionParameter(type=str)}
    INPUTS: dict[str, component_spec.ChannelParameter] = {}
    OUTPUTS = {"schema": component_spec.ChannelParameter(type=standard_artifacts.Schema)}


class SpecSchema(base_component.BaseComponent):
    """Writes the schema that follows from a spec as the artifact that TFX's components read.

    TFX's ImportSchemaGen copies a file, which may exist where the pipeline is made but not where it
    runs.

    Args:
        spec: the feature spec.
    """

    SPEC_CLASS = _Spec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(_Executor)

    def __init__(self, *, spec: FeatureSpec) -> None:
        text = text_format.MessageToString(schema_from_spec(spec))
        super().__init__(
            spec=_Spec(text=text, schema=types.Channel(type=standard_artifacts.Schema))
        )
