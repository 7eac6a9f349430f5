"""Training curves from TensorBoard's event files, read without TensorFlow, which takes its time to load."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator

from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.tensorflow_stub import errors
from tensorboard.compat.tensorflow_stub.pywrap_tensorflow import PyRecordReader_New
from tensorboard.util.tensor_util import make_ndarray

from pipeline.workspace.artifact_files import matching_files, read_bytes

_EPOCH = "epoch_"


def training_curves(folder: str) -> dict[str, list[tuple[int, float]]]:
    """The values of each quantity by epoch, which are counted from 1.

    Args:
        folder: folder or URI of a ModelRun artifact. A training that went on after an interruption
            left several files; of an epoch that is in more than one, the last counts.

    Returns:
        By name as the trainer gives it, such as `loss` or `validation_ctr`.
    """
    curves: dict[str, dict[int, float]] = {}
    for file in sorted(matching_files(folder, "**/events.out.tfevents.*"), key=os.path.basename):
        for event in _events(file):
            for value in event.summary.value:
                if value.tag.startswith(_EPOCH) and value.HasField("tensor"):
                    curve = curves.setdefault(value.tag.removeprefix(_EPOCH), {})
                    curve[event.step + 1] = float(make_ndarray(value.tensor))
    return {name: sorted(curve.items()) for name, curve in curves.items()}


def _events(file: str) -> Iterator[Event]:
    # TensorBoard's reader knows other file systems than Beam does.
    with tempfile.NamedTemporaryFile() as copy:
        copy.write(read_bytes(file))
        copy.flush()
        reader = PyRecordReader_New(copy.name)
        while True:
            try:
                reader.GetNext()
            except (errors.OutOfRangeError, errors.DataLossError):
                # A killed training may have left half an event.
                return
            yield Event.FromString(reader.record())
