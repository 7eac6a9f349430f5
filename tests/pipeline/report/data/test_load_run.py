"""Curves out of event files as TensorBoard's own writer makes them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.record_writer import RecordWriter
from tensorboard.util.tensor_util import make_tensor_proto

from pipeline.report.data.load_run import training_curves


def write(file: Path, *values: tuple[str, int, float]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("wb") as stream:
        writer = RecordWriter(stream)
        for tag, step, value in values:
            summary = Summary(value=[Summary.Value(tag=tag, tensor=make_tensor_proto(value))])
            writer.write(Event(step=step, summary=summary).SerializeToString())
        writer.flush()


def test_epochs_are_counted_from_1_and_other_tags_left_out(tmp_path: Path) -> None:
    write(
        tmp_path / "train" / "events.out.tfevents.1",
        ("epoch_loss", 0, 0.9),
        ("epoch_loss", 1, 0.8),
        ("keras", 0, 1.0),
    )
    assert training_curves(str(tmp_path)) == {
        "loss": [(1, pytest.approx(0.9)), (2, pytest.approx(0.8))]
    }


def test_of_an_epoch_that_was_trained_again_the_last_counts(tmp_path: Path) -> None:
    write(tmp_path / "events.out.tfevents.1", ("epoch_loss", 0, 0.9), ("epoch_loss", 1, 0.8))
    write(tmp_path / "events.out.tfevents.2", ("epoch_loss", 1, 0.7), ("epoch_loss", 2, 0.6))
    assert [value for _, value in training_curves(str(tmp_path))["loss"]] == pytest.approx(
        [0.9, 0.7, 0.6]
    )


def test_half_an_event_of_a_killed_training_ends_the_file(tmp_path: Path) -> None:
    file = tmp_path / "events.out.tfevents.1"
    write(file, ("epoch_loss", 0, 0.9), ("epoch_loss", 1, 0.8))
    os.truncate(file, file.stat().st_size - 5)
    assert training_curves(str(tmp_path)) == {"loss": [(1, pytest.approx(0.9))]}


def test_there_are_no_curves_without_files(tmp_path: Path) -> None:
    assert training_curves(str(tmp_path)) == {}


def test_a_metric_that_cannot_be_computed_has_no_point(tmp_path: Path) -> None:
    """A report keeps its curves as JSON, which has no NaN."""
    nan = float("nan")
    write(tmp_path / "events.out.tfevents.1", ("epoch_validation_like", 0, nan), ("epoch_loss", 0, 0.9))  # fmt: skip
    assert training_curves(str(tmp_path)) == {
        "validation_like": [],
        "loss": [(1, pytest.approx(0.9))],
    }
