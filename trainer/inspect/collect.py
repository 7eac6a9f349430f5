"""Inspect an exported model: find it, find examples, and compute what it shows of its inside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pydantic

from feature_spec import names
from feature_spec.artifacts.calibration import CALIBRATION_FILE, CalibrationReport
from feature_spec.artifacts.inspection import (
    INSPECTION_FILE,
    AttendedLists,
    ExpertOutput,
    ExpertWeight,
    FeatureGates,
    FieldMask,
    Gate,
    Inspection,
    InspectionGuide,
    LevelOutputs,
    SubnetworkFields,
    attention_output,
    expert_sizes_output,
    expert_zeros_output,
    feature_gate_output,
    field_mask_output,
    gate_output,
)
from trainer.inspect.attended_entries import AttentionStatistics, columns_of
from trainer.inspect.exported_model import ExportedModelError, example_files, model_folder, reading
from trainer.inspect.exported_signatures import ExportedSignatures

if TYPE_CHECKING:
    from trainer.inspect.personalised_gates import GateStatistics


class StreamingMoments:
    """Mean, standard deviation and share of zeros of each column, batch by batch.

    Args:
        columns: N, the number of columns.

    Attributes:
        rows: the number of rows so far.
        mean: the mean of each column, (N,).
    """

    def __init__(self, columns: int) -> None:
        self.rows = 0
        self.mean = np.zeros(columns)
        self._squared_deviations = np.zeros(columns)
        self._zeros = np.zeros(columns, np.int64)

    def add(self, values: npt.NDArray[np.float32]) -> None:
        """Add a batch of at least one row, (B, N)."""
        batch = np.asarray(values, np.float64)
        rows, mean = len(batch), batch.mean(axis=0)
        # Deviations from the mean of each batch are combined as Chan et al. do. A sum of squares
        # would lose small deviations.
        shift = mean - self.mean
        total = self.rows + rows
        self._squared_deviations += ((batch - mean) ** 2).sum(axis=0) + shift**2 * (
            self.rows * rows / total
        )
        self.mean = self.mean + shift * (rows / total)
        self._zeros += (batch == 0.0).sum(axis=0)
        self.rows = total

    @property
    def standard_deviation(self) -> npt.NDArray[np.float64]:
        """The standard deviation over all rows, (N,)."""
        return np.sqrt(self._squared_deviations / self.rows)

    @property
    def zero_share(self) -> npt.NDArray[np.float64]:
        """The share of rows that are exactly 0, (N,)."""
        return self._zeros / self.rows


_BATCH_SIZE = 4096


def inspect_model(
    folder: Path, examples: Sequence[str] = (), *, signatures: ExportedSignatures | None = None
) -> Inspection:
    """Inspect an exported model.

    Args:
        folder: a folder with a model, see `model_folder`.
        examples: files or globs of gzipped TFRecords of ingested examples. By default the newest
            evaluation split of `folder`, if it is a pipeline root. They are read only if the
            model's inside depends on examples.
        signatures: the model's signatures, where they are loaded already.

    Raises:
        ExportedModelError: there is no model, the model was exported before models could be
            inspected, or there are no readable examples.
    """
    model = model_folder(folder)
    guide = _guide(model)
    statistics: dict[str, StreamingMoments] = {}
    attended = {lists.history: AttentionStatistics(lists) for lists in guide.histories}
    gates: GateStatistics | None = None
    if guide.needs_examples:
        files = example_files(folder, examples, "what this model shows depends on examples")
        if guide.gated:
            from trainer.inspect.personalised_gates import GateStatistics

            gates = GateStatistics(guide.gated, guide.fields)
        statistics = _statistics(
            signatures or ExportedSignatures(model), files, guide.histories, attended, gates
        )
    return Inspection(
        model=guide.model,
        folder=str(model),
        examples=max((one.rows for one in statistics.values()), default=0),
        gates=[
            _gate(gate, experts, statistics[gate_output(gate)])
            for gate, experts in guide.gates.items()
        ],
        field_masks=[
            _subnetwork(subnetwork, guide.fields, statistics[field_mask_output(subnetwork)])
            for subnetwork in guide.subnetworks
        ],
        blocks=guide.blocks,
        mixtures=guide.mixtures,
        multiplications=guide.multiplications,
        histories=[one.result() for one in attended.values()],
        personalised=gates.result() if gates else None,
        calibration=_calibration(model),
        expert_outputs=[
            _level(
                level,
                experts,
                statistics[expert_zeros_output(level)],
                statistics[expert_sizes_output(level)],
            )
            for level, experts in guide.expert_outputs.items()
        ],
        training_only=guide.training_only,
        heads=guide.heads,
        feature_gates=[
            FeatureGates(
                expert=expert,
                fields=dict(
                    zip(
                        guide.fields,
                        statistics[feature_gate_output(expert)].mean.tolist(),
                        strict=True,
                    )
                ),
            )
            for expert in guide.feature_gates
        ],
    )


def _guide(model: Path) -> InspectionGuide:
    path = model / INSPECTION_FILE
    try:
        return InspectionGuide.model_validate_json(path.read_bytes())
    except FileNotFoundError as error:
        raise ExportedModelError(
            f"{model} has no {INSPECTION_FILE}: it was exported before models could be inspected"
        ) from error
    except pydantic.ValidationError as error:
        raise ExportedModelError(
            f"{path} is not what this version of fulcrum writes: {error}"
        ) from error


def _calibration(model: Path) -> CalibrationReport | None:
    path = model / CALIBRATION_FILE
    return CalibrationReport.model_validate_json(path.read_bytes()) if path.exists() else None


def _statistics(
    model: ExportedSignatures,
    files: list[str],
    histories: Sequence[AttendedLists],
    attended: Mapping[str, AttentionStatistics],
    gates: GateStatistics | None = None,
) -> dict[str, StreamingMoments]:
    """Compute the moments of each output of the signature `inspect` over all examples.

    The weights of histories go to `attended` together with the raw values of their entries, and
    PEPNet's gates to `gates` with those of the domain.
    """
    # A model whose inside does not depend on examples is inspected without TensorFlow.
    import tensorflow as tf

    statistics: dict[str, StreamingMoments] = {}
    columns = dict.fromkeys(columns_of(histories), tf.io.VarLenFeature(tf.string))
    with reading(files):
        records = tf.data.TFRecordDataset(files, compression_type="GZIP").batch(_BATCH_SIZE)
        for batch in records.as_numpy_iterator():
            outputs = model.outputs(names.INSPECT, batch)
            for name, values in outputs.items():
                statistics.setdefault(name, StreamingMoments(values.shape[1])).add(values)
            if attended:
                parsed = tf.io.parse_example(batch, columns)
                texts = {
                    name: tf.sparse.to_dense(sparse).numpy() for name, sparse in parsed.items()
                }
                for name, of_history in attended.items():
                    of_history.add(outputs[attention_output(name)], texts)
            if gates:
                gates.add(
                    outputs, tf.io.parse_example(batch, gates.columns) if gates.columns else {}
                )
    if not statistics:
        raise ExportedModelError(f"there is no example in {', '.join(files)}")
    return statistics


def _gate(gate: str, experts: Sequence[str], statistics: StreamingMoments) -> Gate:
    weights = zip(
        experts, statistics.mean.tolist(), statistics.standard_deviation.tolist(), strict=True
    )
    return Gate(
        gate=gate,
        experts=[
            ExpertWeight(expert=expert, mean=mean, standard_deviation=deviation)
            for expert, mean, deviation in weights
        ],
    )


def _level(
    level: str, experts: Sequence[str], zeros: StreamingMoments, sizes: StreamingMoments
) -> LevelOutputs:
    outputs = zip(experts, zeros.mean.tolist(), sizes.mean.tolist(), strict=True)
    return LevelOutputs(
        level=level,
        experts=[
            ExpertOutput(expert=expert, zero_share=zero_share, size=size)
            for expert, zero_share, size in outputs
        ],
    )


def _subnetwork(
    subnetwork: str, fields: Sequence[str], statistics: StreamingMoments
) -> SubnetworkFields:
    masks = zip(fields, statistics.mean.tolist(), statistics.zero_share.tolist(), strict=True)
    return SubnetworkFields(
        subnetwork=subnetwork,
        fields=[
            FieldMask(field=field, mean=mean, zero_share=zero_share)
            for field, mean, zero_share in masks
        ],
    )
