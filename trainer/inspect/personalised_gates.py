"""What PEPNet's gates do: over all examples, and by the values of the domain."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from feature_spec.artifacts.inspection import (
    FIELD_GATES,
    GatedParts,
    GatesByField,
    GatesOfValue,
    PersonalisedGates,
    tower_gates_output,
)
from trainer.layers.personalisation import GatedInput

# The most frequent values of a field that are shown, and the most that are told apart until all
# examples are read.
_SHOWN, _TOLD_APART = 12, 10_000
_OTHERS, _MISSING = "others", "missing"


def gate_outputs(
    gated: Sequence[GatedInput], field_widths: Sequence[int], tasks: Sequence[str]
) -> dict[str, tf.Tensor]:
    """Compute what a network's gates do to each example, averaged over the sets of tables.

    Args:
        gated: the gates of each set of tables.
        field_widths: D of each field.
        tasks: names of the tasks.

    Returns:
        The mean gate of each field's columns, (B, F), if the domain gates the input; and by task
        how far the gates of each hidden layer are from 1, mean |δ − 1| over its units, (B, L).
    """
    outputs: dict[str, tf.Tensor] = {}
    of_fields = [
        tf.stack(
            [tf.reduce_mean(part, axis=1) for part in tf.split(one.field_gates, field_widths, 1)],
            axis=1,
        )
        for one in gated
        if one.field_gates is not None
    ]
    if of_fields:
        outputs[FIELD_GATES] = tf.reduce_mean(tf.stack(of_fields), axis=0)
    of_towers = [gates for one in gated for gates in one.tower_gates]
    for task, gates in zip(tasks, of_towers, strict=True):
        if gates:
            outputs[tower_gates_output(task)] = tf.stack(
                [tf.reduce_mean(tf.abs(gate - 1.0), axis=1) for gate in gates], axis=1
            )
    return outputs


class GateStatistics:
    """Collects what the gates do, batch by batch.

    Args:
        parts: what is gated, and the fields by whose values examples are told apart.
        fields: the fields of the input, in order.
    """

    def __init__(self, parts: GatedParts, fields: Sequence[str]) -> None:
        self._parts, self._fields = parts, list(fields)
        self._rows = 0
        self._sums: npt.NDArray[np.float64] = np.zeros(self._width)
        self._squares: npt.NDArray[np.float64] = np.zeros(self._width)
        self._by_value: dict[str, dict[str, npt.NDArray[np.float64]]] = {
            field: {} for field in parts.domain
        }

    @property
    def _width(self) -> int:
        return (len(self._fields) if self._parts.gates_input else 0) + sum(
            self._parts.towers.values()
        )

    @property
    def columns(self) -> dict[str, tf.io.VarLenFeature]:
        """The raw fields that `add` reads, as examples hold them."""
        return {
            field: tf.io.VarLenFeature(tf.float32 if kind == "number" else tf.string)
            for field, kind in self._parts.domain.items()
        }

    def add(
        self, outputs: Mapping[str, npt.NDArray[np.float32]], values: Mapping[str, tf.SparseTensor]
    ) -> None:
        """Add a batch.

        Args:
            outputs: the outputs of the signature `inspect`.
            values: the raw values of the fields in `columns`.
        """
        names = [FIELD_GATES] if self._parts.gates_input else []
        names += map(tower_gates_output, self._parts.towers)
        gates = np.concatenate([outputs[name] for name in names], axis=1).astype(np.float64)
        self._rows += len(gates)
        self._sums += gates.sum(axis=0)
        self._squares += np.square(gates).sum(axis=0)
        for field, sums in self._by_value.items():
            for value, rows in _rows_by_value(values[field], len(gates)).items():
                key = value if value in sums or len(sums) < _TOLD_APART else _OTHERS
                row = sums.setdefault(key, np.zeros(1 + self._width))
                row += [len(rows), *gates[rows].sum(axis=0)]

    def result(self) -> PersonalisedGates:
        """Return what was found in all batches."""
        mean = self._sums / max(self._rows, 1)
        variance = self._squares / max(self._rows, 1) - np.square(mean)
        return PersonalisedGates(
            fields=self._fields if self._parts.gates_input else [],
            layers=[
                f"{task} layer {layer + 1}"
                for task, layers in self._parts.towers.items()
                for layer in range(layers)
            ],
            overall=self._of_value("all", self._rows, mean),
            deviations=self._of_value("all", self._rows, np.sqrt(np.maximum(variance, 0.0))),
            by=[
                GatesByField(field=field, values=self._shown(sums))
                for field, sums in self._by_value.items()
            ],
        )

    def _shown(self, sums: dict[str, npt.NDArray[np.float64]]) -> list[GatesOfValue]:
        named = sorted(sums.keys() - {_OTHERS}, key=lambda value: (-sums[value][0], value))
        rest = [sums[value] for value in named[_SHOWN:]] + [
            sums[_OTHERS] for _ in range(_OTHERS in sums)
        ]
        shown = [(value, sums[value]) for value in named[:_SHOWN]]
        shown += [(_OTHERS, np.sum(rest, axis=0))] if rest else []
        return [self._of_value(value, int(row[0]), row[1:] / row[0]) for value, row in shown]

    def _of_value(self, value: str, examples: int, gates: npt.NDArray[np.float64]) -> GatesOfValue:
        fields = len(self._fields) if self._parts.gates_input else 0
        return GatesOfValue(
            value=value,
            examples=examples,
            fields=gates[:fields].tolist(),
            layers=gates[fields:].tolist(),
        )


def _rows_by_value(values: tf.SparseTensor, rows: int) -> dict[str, list[int]]:
    """Return the rows that have each value; a row of a list counts for each of its values."""
    found: dict[str, list[int]] = {}
    has_value = np.zeros(rows, bool)
    places = zip(values.indices.numpy()[:, 0].tolist(), values.values.numpy().tolist(), strict=True)
    for row, value in places:
        text = value.decode("utf-8", "replace") if isinstance(value, bytes) else f"{value:g}"
        if text and text != "nan":
            of_value = found.setdefault(text, [])
            if not of_value or of_value[-1] != row:
                of_value.append(row)
            has_value[row] = True
    if not has_value.all():
        found[_MISSING] = np.flatnonzero(~has_value).tolist()
    return found
