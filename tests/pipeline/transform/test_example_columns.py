"""Transform reads the same values as by TFX's own source, in other batches."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from feature_spec.loading import parse_spec

pytestmark = [pytest.mark.slow, pytest.mark.tensorflow]

SPEC = """
name: tiny
logs: {exposures: {path: x, format: jsonl}}
split: {evaluation_files: [x]}
fields:
  color: {side: user, kind: categorical}
  recent: {side: user, kind: sequence, shares: item, max_length: 2}
  age: {side: user, kind: numeric}
  item: {side: item, kind: categorical}
  tags: {side: item, kind: multi_categorical, max_length: 3}
tasks:
  click: {kind: binary, label: {rule: event, column: c}, metric: auc, threshold: 0.5, tolerance: 0.1}
ranking_formula: {weights: {click: 1.0}}
"""
# Texts that are missing, empty, no ASCII and of several lengths; lists of 0 to 3 values.
ROWS = [
    {"color": ["red"], "recent": ["a", "b"], "age": [1.5], "item": ["a"], "tags": ["x", "", "zz"]},
    {"item": ["größe\0"], "tags": []},
    {"color": [""], "recent": ["a"], "age": [float("nan")], "item": ["b" * 300]},
    {"look": [0.5, -1.0, 2.0], "color": ["blue"], "age": [-0.0], "item": ["a\0"], "tags": ["x"]},
    {},
]


def _written(folder: Path, rows: list[dict[str, Any]]) -> list[bytes]:
    import tensorflow as tf

    examples = []
    for row in rows:
        example = tf.train.Example()
        for name, values in (row | {"label_of_click": [1.0], "mask_of_click": [0.0]}).items():
            feature = example.features.feature[name]
            if values and isinstance(values[0], float):
                feature.float_list.value.extend(values)
            else:
                feature.bytes_list.value.extend(value.encode() for value in values)
        examples.append(example.SerializeToString())
    with tf.io.TFRecordWriter(str(folder / "part-0.gz"), "GZIP") as writer:
        for example in examples:
            writer.write(example)
    return examples


def _source(folder: Path, unread: tuple[str, ...] = ()) -> Any:
    from pipeline.transform.example_columns import ExampleColumns
    from pipeline.validate.schema import schema_from_spec

    schema = schema_from_spec(parse_spec(SPEC))
    return ExampleColumns([str(folder / "*.gz")], schema=schema, unread=unread)


def _read(source: Any) -> dict[str, list[Any]]:
    """Rows by name: texts, numbers, and lists as they are."""
    import tensorflow as tf

    from pipeline.transform.example_columns import _ReadFile

    files = source.BeamSource()
    reader = _ReadFile(files._parsing, files._schema)
    reader.setup()
    batches = [batch for file in files._files for batch in reader.process(file)]
    rows: dict[str, list[Any]] = {}
    for batch in batches:
        for name, tensor in source.TensorAdapter().ToBatchTensors(batch).items():
            values = (
                tf.RaggedTensor.from_sparse(tensor).to_list()
                if isinstance(tensor, tf.SparseTensor)
                else tensor.numpy().tolist()
            )
            rows.setdefault(name, []).extend(values)
    return rows


@pytest.fixture
def batches_of_two(monkeypatch: pytest.MonkeyPatch) -> None:
    import pipeline.transform.example_columns

    monkeypatch.setattr(pipeline.transform.example_columns, "_BATCH_ROWS", 2)


@pytest.mark.usefixtures("batches_of_two")
def test_every_value_is_the_one_that_tfx_decodes(tmp_path: Path) -> None:
    import tensorflow as tf
    from tfx_bsl.coders import example_coder

    examples = _written(tmp_path, ROWS)
    source = _source(tmp_path)
    decoder = example_coder.ExamplesToRecordBatchDecoder(source._schema.SerializeToString())
    whole = source.TensorAdapter().ToBatchTensors(decoder.DecodeBatch(examples))
    read = _read(source)
    assert read.keys() == whole.keys()
    for name, tensor in whole.items():
        if isinstance(tensor, tf.SparseTensor):
            assert read[name] == tf.RaggedTensor.from_sparse(tensor).to_list(), name
        elif tensor.dtype == tf.string:
            assert read[name] == tensor.numpy().tolist(), name
        else:
            np.testing.assert_array_equal(read[name], tensor.numpy(), err_msg=name)


@pytest.mark.usefixtures("batches_of_two")
def test_lists_that_nothing_analyses_are_empty_and_the_rest_is_read(tmp_path: Path) -> None:
    _written(tmp_path, ROWS)
    whole, read = _read(_source(tmp_path)), _read(_source(tmp_path, unread=("recent",)))
    assert whole.pop("recent") == [[b"a", b"b"], [], [b"a"], [], []]
    assert read.pop("recent") == [[], [], [], [], []]
    assert str(read) == str(whole)  # NaN is unequal to itself


def test_only_the_columns_that_are_asked_for_are_read(tmp_path: Path) -> None:
    _written(tmp_path, ROWS)
    projected = _source(tmp_path).Project(["age", "tags"])
    assert set(projected.ArrowSchema().names) == {"age", "tags"}
    assert _read(projected)["tags"] == [[b"x", b"", b"zz"], [], [], [b"x"], []]


def test_files_that_are_not_there_are_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no file matches .*\*\.gz"):
        _source(tmp_path).BeamSource()


@pytest.mark.parametrize("runner", ["PortableRunner", "DirectRunner"])
def test_a_copy_that_transform_makes_of_the_source_can_be_planned_for_any_runner(
    tmp_path: Path, runner: str
) -> None:
    import apache_beam as beam
    from apache_beam.options.pipeline_options import PipelineOptions
    from apache_beam.runners.portability.portable_runner import PortableRunner
    from tensorflow_transform.beam import deep_copy

    _written(tmp_path, ROWS)
    shutil.copy(tmp_path / "part-0.gz", tmp_path / "part-1.gz")
    options = PipelineOptions([f"--runner={runner}", "--environment_type=LOOPBACK"])
    pipeline = beam.Pipeline(options=options)
    batches = pipeline | _source(tmp_path).BeamSource()
    for number, one in enumerate((batches, deep_copy.deep_copy(batches))):
        _ = one | f"Rows{number}" >> beam.Map(lambda batch: batch.num_rows)
    planned = PortableRunner._optimize_pipeline(pipeline.to_runner_api(), options)
    steps = planned.components.transforms.values()
    made = {output for step in steps for output in step.outputs.values()}
    assert {taken for step in steps for taken in step.inputs.values()} <= made
