"""TFX's Transform with a faster source of examples."""

from __future__ import annotations

from typing import Any

import tfx  # noqa: F401  (before TFDV, which on Python 3.11 needs TFX's stand-in)
from tfx.components import Transform as TfxTransform
from tfx.components.transform import executor
from tfx.dsl.components.base import executor_spec
from tfx.types import standard_component_specs
from tfx.utils import json_utils
from tfx.utils.typing_utils import ArtifactMultiDict
from tfx_bsl.tfxio import tf_example_record
from typing_extensions import override

from feature_spec.fields.field import SequenceField
from feature_spec.loading import parse_spec
from pipeline.transform.example_columns import ExampleColumns


class _Processor(executor.TransformProcessor):
    """TFX's processor, which reads examples by `ExampleColumns`."""

    unread: frozenset[str] = frozenset()

    @override
    def _CreateTFXIO(self, dataset: Any, schema: Any) -> Any:
        tfxio = super()._CreateTFXIO(dataset, schema)
        if type(tfxio) is not tf_example_record.TFExampleRecord:
            return tfxio  # another format of files
        return ExampleColumns([dataset.file_pattern], schema=schema, unread=self.unread)


class _Executor(executor.Executor):
    @override
    def Do(
        self,
        input_dict: ArtifactMultiDict,
        output_dict: ArtifactMultiDict,
        exec_properties: dict[str, Any],
    ) -> None:
        custom = exec_properties[standard_component_specs.CUSTOM_CONFIG_KEY]
        spec = parse_spec(json_utils.loads(custom)["spec"])
        sequences = {
            name for name, field in spec.fields.items() if isinstance(field, SequenceField)
        }
        is_analysis = standard_component_specs.TRANSFORMED_EXAMPLES_KEY not in output_dict

        class Processor(_Processor):
            # A sequence looks up what its shared field has learnt: nothing analyses it.
            unread = frozenset(sequences if is_analysis else ())

        # TFX's executor makes its processor by name, and takes no other.
        of_tfx = executor.TransformProcessor
        executor.TransformProcessor = Processor
        try:
            super().Do(input_dict, output_dict, exec_properties)
        finally:
            executor.TransformProcessor = of_tfx


class Transform(TfxTransform):
    """TFX's Transform of a `preprocessing_fn` whose `custom_config` holds the spec's text.

    It reads examples file by file in batches of thousands, and of those that it only analyses no
    more than the analysis asks for. All else is TFX's: graph, analyzer cache, transformed examples.
    """

    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(_Executor)
