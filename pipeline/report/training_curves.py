"""Training curves from TensorBoard's event files, read without TensorFlow, which takes its time to load."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.tensorflow_stub import errors
from tensorboard.compat.tensorflow_stub.pywrap_tensorflow import PyRecordReader_New
from tensorboard.util.tensor_util import make_ndarray

_EPOCH = "epoch_"


def training_curves(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """The values of each quantity by epoch, which are counted from 1.

    Args:
        folder: of a ModelRun artifact. A training that went on after an interruption left several files; of an epoch that is
            in more than one, the last counts.

    Returns:
        By name as the trainer gives it, such as `loss` or `validation_ctr`.
    """
    curves: dict[str, dict[int, float]] = {}
    for file in sorted(folder.rglob("events.out.tfevents.*"), key=lambda path: path.name):
        for event in _events(file):
            for value in event.summary.value:
                if value.tag.startswith(_EPOCH) and value.HasField("tensor"):
                    curve = curves.setdefault(value.tag.removeprefix(_EPOCH), {})
                    curve[event.step + 1] = float(make_ndarray(value.tensor))
    return {name: sorted(curve.items()) for name, curve in curves.items()}


def _events(file: Path) -> Iterator[Event]:
    reader = PyRecordReader_New(str(file))
    while True:
        try:
            reader.GetNext()
        except (errors.OutOfRangeError, errors.DataLossError):
            # A killed training may have left half an event.
            return
        yield Event.FromString(reader.record())
