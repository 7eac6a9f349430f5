"""Examples as Arrow columns for Transform's analysis, file by file and in large batches.

TFX's own source hands each example through Beam, decodes whole examples, and lets Beam choose
batches of a thousand at most.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import apache_beam as beam
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import tfx  # noqa: F401  (before TFDV, which on Python 3.11 needs TFX's stand-in)
from apache_beam.options.pipeline_options import DirectOptions, StandardOptions
from tfx_bsl.tfxio import tf_example_record
from typing_extensions import override

if TYPE_CHECKING:
    import tensorflow as tf

# Larger batches take hardly less time an example, and more memory.
_BATCH_ROWS = 4096
_COUNT, _SPLITS, _LENGTHS, _BYTES = "", "\x1fsplits", "\x1flengths", "\x1fbytes"


class ExampleColumns(tf_example_record.TFExampleRecord):
    """Gzipped TFRecords of tf.Examples, of which a Beam worker reads whole files.

    Args:
        file_pattern: globs of the files.
        schema: the schema of the columns to read.
        unread: lists that are left empty, because nothing asks for their values.
    """

    def __init__(
        self, file_pattern: Sequence[str], *, schema: Any, unread: Collection[str] = ()
    ) -> None:
        super().__init__(list(file_pattern), schema=schema, telemetry_descriptors=["Transform"])
        self._unread = frozenset(unread)

    @override
    def BeamSource(self, batch_size: int | None = None) -> beam.PTransform:
        import tensorflow as tf

        files = [file for glob in self._file_pattern for file in sorted(tf.io.gfile.glob(glob))]
        if not files:
            raise FileNotFoundError(f"no file matches {', '.join(self._file_pattern)}")
        parsing, _ = self._GetTfExampleParserConfig()
        read = {name: feature for name, feature in parsing.items() if name not in self._unread}
        return _ReadFiles(files, read, self.ArrowSchema())

    @override
    def _ProjectImpl(self, tensor_names: list[str]) -> ExampleColumns:
        projected = super()._ProjectImpl(tensor_names)
        return ExampleColumns(
            self._file_pattern,
            schema=projected._schema,  # noqa: SLF001
            unread=self._unread,
        )


@beam.typehints.with_input_types(Any)
@beam.typehints.with_output_types(pa.RecordBatch)
class _ReadFiles(beam.PTransform):
    def __init__(self, files: list[str], parsing: Mapping[str, Any], schema: pa.Schema) -> None:
        super().__init__()
        self._files, self._parsing, self._schema = files, dict(parsing), schema

    @override
    def expand(self, input_or_inputs: Any) -> Any:
        options = input_or_inputs.pipeline.options
        runner = options.view_as(StandardOptions).runner or ""
        is_alone = "DirectRunner" in runner and (
            options.view_as(DirectOptions).direct_num_workers == 1
        )
        files = input_or_inputs | "Files" >> beam.Create(
            list(enumerate(self._files)), reshuffle=False
        )
        if not is_alone:  # one worker would keep all columns for it
            # Not by Reshuffle: Transform reads a source twice by copying the last steps before
            # it, and runners that have a Reshuffle of their own know no copy of its parts.
            files = files | "Share" >> beam.GroupByKey() | "Ungroup" >> beam.FlatMapTuple(_each)
        else:
            files = files | "Names" >> beam.Values()
        return (
            files
            # Without this, Beam would pickle what it keeps between two passes.
            | "Read"
            >> beam.ParDo(_ReadFile(self._parsing, self._schema)).with_output_types(pa.RecordBatch)
        )


def _each(_: int, files: Iterable[str]) -> Iterable[str]:
    """Return the files of a group."""
    return files


class _ReadFile(beam.DoFn):
    """Yields record batches of a file."""

    def __init__(self, parsing: Mapping[str, Any], schema: pa.Schema) -> None:
        self._parsing, self._schema = parsing, schema

    @override
    def setup(self) -> None:
        import tensorflow as tf

        # Traced once for all files.
        self._columns = tf.function(
            self._parsed, input_signature=[tf.TensorSpec([None], tf.string)], autograph=False
        ).get_concrete_function()

    @override
    def process(self, element: str) -> Iterator[pa.RecordBatch]:
        import tensorflow as tf

        options = tf.data.Options()
        options.autotune.enabled = False
        batches = (
            tf.data.TFRecordDataset(element, compression_type="GZIP", buffer_size=1 << 20)
            .batch(_BATCH_ROWS)
            .map(self._columns, num_parallel_calls=2)
            .prefetch(1)
            .with_options(options)
        )
        for batch in batches.as_numpy_iterator():
            columns = [_column(batch, field) for field in self._schema]
            yield pa.RecordBatch.from_arrays(columns, schema=self._schema)

    def _parsed(self, examples: tf.Tensor) -> dict[str, tf.Tensor]:
        """Return the values of each feature, those of texts as one text and their lengths."""
        import tensorflow as tf

        features = {
            name: tf.io.RaggedFeature(feature.dtype, row_splits_dtype=tf.int64)
            if isinstance(feature, tf.io.VarLenFeature)
            else feature
            for name, feature in self._parsing.items()
        }
        result = {_COUNT: tf.size(examples, tf.int64)}
        for name, parsed in tf.io.parse_example(examples, features).items():
            values = parsed
            if isinstance(parsed, tf.RaggedTensor):
                result[name + _SPLITS], values = parsed.row_splits, parsed.values
            if values.dtype == tf.string:
                # A Python object for each text would take most of the time.
                result[name + _LENGTHS] = tf.strings.length(values)
                result[name + _BYTES] = tf.strings.reduce_join(values)
            else:
                result[name] = values
        return result


def _column(batch: Mapping[str, Any], field: pa.Field) -> pa.Array:
    """Return a column of lists: of all values of a dense feature, of none where it is not read."""
    rows, kind, name = int(batch[_COUNT]), field.type.value_type, field.name
    if name + _LENGTHS in batch:
        ends = _offsets(batch[name + _LENGTHS])
        buffers = [None, pa.py_buffer(ends), pa.py_buffer(batch[name + _BYTES])]
        values = pa.Array.from_buffers(pa.large_binary(), len(ends) - 1, buffers).cast(kind)
    elif name in batch:
        values = pa.array(batch[name].ravel(), kind)
    else:
        return pa.LargeListArray.from_arrays(np.zeros(rows + 1, np.int64), pa.array([], kind))
    splits = batch.get(name + _SPLITS)
    if splits is None:
        splits = np.arange(rows + 1, dtype=np.int64) * (len(values) // max(rows, 1))
    return pa.LargeListArray.from_arrays(splits, values)


def _offsets(lengths: npt.NDArray[np.int32]) -> npt.NDArray[np.int64]:
    offsets = np.zeros(len(lengths) + 1, np.int64)
    np.cumsum(lengths, out=offsets[1:])
    return offsets
