"""Ingested examples on their way through the transform graph, in large batches."""

from __future__ import annotations

import tensorflow as tf
import tensorflow_transform as tft

from feature_spec import names
from feature_spec.spec import FeatureSpec
from trainer.inputs.packed_examples import Reading


def transforming(spec: FeatureSpec, transform_graph: str) -> Reading:
    """Return the function that parses ingested examples and applies a transform graph.

    A graph of its own is loaded, whose lookup tables are freed with the function.

    Args:
        spec: the feature spec, with fields and tasks.
        transform_graph: the folder of the transform graph.
    """
    transform = tft.TFTransformOutput(transform_graph)
    wanted = {*spec.fields}
    for task in spec.tasks:
        wanted |= {names.label_name(task), names.mask_name(task)}
    wanted |= {names.EXAMPLE_WEIGHT} if spec.weight is not None else set()
    # Parsed as Beam parses them: the schema says what stands for a missing value.
    parsing = {
        name: feature for name, feature in transform.raw_feature_spec().items() if name in wanted
    }
    layer = transform.transform_features_layer()

    def transformed(examples: tf.Tensor) -> dict[str, tf.Tensor]:
        result: dict[str, tf.Tensor] = layer(tf.io.parse_example(examples, parsing))
        return result

    return transformed
