"""The transform graph, of which a caller runs only what its fields need."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import tensorflow as tf


class TransformGraph(tf.Module):
    """The transform graph that Transform wrote.

    TensorFlow Transform's own layer calls the graph as one function, which TensorFlow keeps whole
    because tables have a state. A ranking request, which has one row of user and context and C rows
    of items, would then look up every field of one side for each row of the other. Here the
    operations become part of the caller's graph, and no others run.

    Args:
        folder: the SavedModel of the transform graph.
    """

    def __init__(self, folder: str) -> None:
        super().__init__(name="transform_graph")
        # The exported object must hold it, or else its lookup tables are not initialized.
        self._loaded = tf.saved_model.load(folder)
        function = self._loaded.transform_fn
        # A tf.function with an input signature has one trace.
        function = getattr(function, "concrete_functions", [function])[0]
        self._graph = function.graph.as_graph_def()
        for node in self._graph.node:
            data = [name for name in node.input if not name.startswith("^")]
            del node.input[:]  # what makes every feature wait for all tables
            node.input.extend(data)
        self._nodes = {node.name: node for node in self._graph.node}
        placeholders = [tensor.name for tensor in function.graph.inputs]
        captured = function.captured_inputs
        count = len(placeholders) - len(captured)
        self._captured = dict(zip(placeholders[count:], captured, strict=True))
        self._inputs: dict[str, list[str]] = {}
        first = 0
        for name, spec in sorted(function.structured_input_signature[0][0].items()):
            last = first + len(tf.nest.flatten(spec, expand_composites=True))
            self._inputs[name] = placeholders[first:last]
            first = last
        # The outputs of a function come in the order of their names.
        names = sorted(function.structured_outputs)
        self._outputs = dict(zip(names, function.outputs, strict=True))

    def __call__(self, fields: Mapping[str, Any]) -> dict[str, tf.Tensor]:
        """Return the features that depend on no other than the given fields.

        Args:
            fields: raw fields by name, as text or float (B,), or as sparse text (B, T).
        """
        known = {
            place: tensor
            for name, value in fields.items()
            for place, tensor in zip(
                self._inputs[name], tf.nest.flatten(value, expand_composites=True), strict=True
            )
        } | self._captured
        ends = {
            name: end
            for name, end in self._outputs.items()
            if self._placeholders([end]) <= known.keys()
        }
        found = tf.graph_util.import_graph_def(
            self._part(ends.values()),
            input_map={
                place: tf.identity(known[place]) for place in self._placeholders(ends.values())
            },
            return_elements=[end.name for end in ends.values()],
            name="",
        )
        for tensor, end in zip(found, ends.values(), strict=True):
            tensor.set_shape(end.shape)
        return dict(zip(ends, found, strict=True))

    def _part(self, ends: Iterable[tf.Tensor]) -> tf.compat.v1.GraphDef:
        """Return the graph of what these tensors depend on."""
        wanted, open_ends = set(), [end.op.name for end in ends]
        while open_ends:
            name = open_ends.pop()
            if name not in wanted:
                wanted.add(name)
                open_ends += [source.partition(":")[0] for source in self._nodes[name].input]
        part = tf.compat.v1.GraphDef(versions=self._graph.versions, library=self._graph.library)
        part.node.extend(node for node in self._graph.node if node.name in wanted)
        return part

    def _placeholders(self, ends: Iterable[tf.Tensor]) -> set[str]:
        return {f"{node.name}:0" for node in self._part(ends).node if node.op == "Placeholder"}
