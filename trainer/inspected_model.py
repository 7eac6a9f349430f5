"""Looks into an exported model: finds it, finds examples, and computes what it shows of its inside."""

from __future__ import annotations

import glob
from collections.abc import Sequence
from pathlib import Path

import pydantic

from feature_spec import names
from trainer.inspection import (
    INSPECTION_FILE,
    ExpertWeight,
    FieldMask,
    Gate,
    Inspection,
    InspectionGuide,
    SubnetworkFields,
    field_mask_output,
    gate_output,
)
from trainer.row_statistics import RowStatistics

_BATCH_SIZE = 4096


class InspectionError(ValueError):
    """There is no model to inspect, or no examples to inspect it with."""


def model_folder(folder: Path) -> Path:
    """The SavedModel in `folder`: itself, the newest of its versions, or the newest pushed one of a pipeline root.

    Raises:
        InspectionError: there is none.
    """
    for parent in (folder / names.SERVING_MODEL, folder):
        versions = [child for child in parent.glob("*") if child.name.isdecimal() and _is_saved_model(child)]
        if versions:
            return max(versions, key=lambda version: int(version.name))
    if _is_saved_model(folder):
        return folder
    raise InspectionError(
        f"{folder} is neither an exported model (with saved_model.pb), nor a folder of versions, nor a pipeline root with "
        f"a pushed model in {names.SERVING_MODEL}/"
    )


def evaluation_examples(root: Path) -> list[str]:
    """The files of the newest evaluation split of a pipeline root; none where `root` is no root or has not ingested."""
    splits = root.glob(f"{names.ARTIFACTS}/*ExampleGen/examples/*/Split-{names.EVALUATION}")
    newest = max((split for split in splits if split.parent.name.isdecimal()), key=lambda s: int(s.parent.name), default=None)
    return sorted(str(file) for file in newest.glob("*")) if newest else []


def inspect_model(folder: Path, examples: Sequence[str] = ()) -> Inspection:
    """What a model shows of its inside.

    Args:
        folder: see `model_folder`.
        examples: files or globs of gzipped TFRecords of ingested examples. Where none are given, the newest evaluation split of
            `folder`, if that is a pipeline root. They are read only where something depends on examples.

    Raises:
        InspectionError: no model, a model exported before it could be inspected, or no readable examples.
    """
    model = model_folder(folder)
    guide = _guide(model)
    statistics: dict[str, RowStatistics] = {}
    if guide.needs_examples:
        statistics = _statistics(model, _files(folder, examples))
    return Inspection(
        model=guide.model,
        folder=str(model),
        examples=max((one.rows for one in statistics.values()), default=0),
        gates=[_gate(gate, experts, statistics[gate_output(gate)]) for gate, experts in guide.gates.items()],
        field_masks=[
            _subnetwork(subnetwork, guide.fields, statistics[field_mask_output(subnetwork)]) for subnetwork in guide.subnetworks
        ],
        blocks=guide.blocks,
        mixtures=guide.mixtures,
        multiplications=guide.multiplications,
    )


def _is_saved_model(folder: Path) -> bool:
    return (folder / "saved_model.pb").is_file()


def _guide(model: Path) -> InspectionGuide:
    path = model / INSPECTION_FILE
    try:
        return InspectionGuide.model_validate_json(path.read_bytes())
    except FileNotFoundError as error:
        raise InspectionError(f"{model} has no {INSPECTION_FILE}: it was exported before models could be inspected") from error
    except pydantic.ValidationError as error:
        raise InspectionError(f"{path} is not what this version of fulcrum writes: {error}") from error


def _files(folder: Path, examples: Sequence[str]) -> list[str]:
    if not examples:
        found = evaluation_examples(folder)
        if not found:
            raise InspectionError(
                f"give --examples: what this model shows depends on examples, and {folder} is no pipeline root with an "
                f"evaluation split in {names.ARTIFACTS}/*ExampleGen/examples/"
            )
        return found
    matches = {pattern: sorted(glob.glob(pattern)) for pattern in examples}
    for pattern, files in matches.items():
        if not files:
            raise InspectionError(f"no file matches --examples {pattern}")
    return list(dict.fromkeys(file for files in matches.values() for file in files))


def _statistics(model: Path, files: list[str]) -> dict[str, RowStatistics]:
    """Statistics of each output of the signature over all examples."""
    # Models of which nothing depends on examples do without TensorFlow.
    import tensorflow as tf

    # The signature is of no use without the object that owns its lookup tables.
    loaded = tf.saved_model.load(str(model))
    signature = loaded.signatures[names.INSPECT]
    statistics: dict[str, RowStatistics] = {}
    try:
        for batch in tf.data.TFRecordDataset(files, compression_type="GZIP").batch(_BATCH_SIZE):
            for name, values in signature(examples=batch).items():
                statistics.setdefault(name, RowStatistics(values.shape[1])).add(values.numpy())
    except (tf.errors.DataLossError, tf.errors.InvalidArgumentError, UnicodeDecodeError) as error:
        # TensorFlow quotes what it cannot parse, and trips over that where it is no text.
        reason = getattr(error, "message", "a record is no tf.Example")
        raise InspectionError(
            f"the examples are not gzipped TFRecords of tf.Examples as `fulcrum run` ingests them ({', '.join(files)}): "
            f"{reason}"
        ) from error
    if not statistics:
        raise InspectionError(f"there is no example in {', '.join(files)}")
    return statistics


def _gate(gate: str, experts: Sequence[str], statistics: RowStatistics) -> Gate:
    weights = zip(experts, statistics.mean.tolist(), statistics.standard_deviation.tolist(), strict=True)
    return Gate(
        gate=gate,
        experts=[ExpertWeight(expert=expert, mean=mean, standard_deviation=deviation) for expert, mean, deviation in weights],
    )


def _subnetwork(subnetwork: str, fields: Sequence[str], statistics: RowStatistics) -> SubnetworkFields:
    masks = zip(fields, statistics.mean.tolist(), statistics.zero_share.tolist(), strict=True)
    return SubnetworkFields(
        subnetwork=subnetwork,
        fields=[FieldMask(field=field, mean=mean, zero_share=zero_share) for field, mean, zero_share in masks],
    )
