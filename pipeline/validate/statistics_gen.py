"""The component that makes TFDV's statistics of examples, file by file and in large batches.

TFX's StatisticsGen gives the same statistics. Its Beam pipeline has some two hundred steps, works
on a thousand examples at a time and hands each text of them through a shuffle.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import apache_beam as beam
import tfx  # noqa: F401  (before TFDV, which on Python 3.11 needs TFX's stand-in)
from tfx import types
from tfx.components.statistics_gen.executor import DEFAULT_FILE_NAME
from tfx.dsl.components.base import base_beam_component, base_beam_executor, executor_spec
from tfx.types import artifact_utils, component_spec, standard_artifacts
from tfx.utils.typing_utils import ArtifactMultiDict
from tfx_bsl.coders import example_coder
from tfx_bsl.statistics import merge_util
from typing_extensions import override

from feature_spec import names
from pipeline.validate.value_counts import ValueCountsGenerator
from pipeline.workspace.artifact_files import matching_files, write_bytes
from pipeline.workspace.example_files import example_batches

from tensorflow_data_validation.statistics.generators.basic_stats_generator import (  # isort: skip
    BasicStatsGenerator,
)

# Larger batches take less time an example. One of 62 features, 15 of them lists, takes 50 MB.
_BATCH_ROWS = 1 << 13
# Keys tell examples apart, and nothing asks which of them come most often.
_KEYS = (names.REQUEST_KEY, names.USER_KEY, names.ITEM_KEY)


def _generators() -> list[Any]:
    return [BasicStatsGenerator(), ValueCountsGenerator(without=_KEYS)]


def add_statistics(pipeline: beam.Pipeline, files: Mapping[str, Sequence[str]], out: str) -> None:
    """Add the statistics of splits to a Beam pipeline.

    Args:
        pipeline: the Beam pipeline.
        files: TFRecord files of tf.Examples by split; a split may have none.
        out: the folder or URI of an ExampleStatistics artifact.
    """
    read = [(split, file) for split, of_split in files.items() for file in ("", *of_split)]
    _ = (
        pipeline
        | "Files" >> beam.Create(read, reshuffle=True)
        | "Summarise" >> beam.ParDo(_Summarise())
        | "BySplit" >> beam.GroupByKey()
        | "Write" >> beam.Map(_write, out=out)
    )


class _Summarise(beam.DoFn):
    """Reads a file of a split; yields the split, the file and the accumulators of all generators.

    A split without files has the file "", which holds nothing.
    """

    @override
    def setup(self) -> None:
        self._generators = _generators()
        self._decoder = example_coder.ExamplesToRecordBatchDecoder()

    @override
    def process(self, element: tuple[str, str]) -> Iterator[tuple[str, tuple[str, list[Any]]]]:
        split, file = element
        accumulators = [generator.create_accumulator() for generator in self._generators]
        for records in example_batches([file] if file else [], _BATCH_ROWS):
            batch = self._decoder.DecodeBatch(records.tolist())
            accumulators = [
                generator.add_input(accumulator, batch)
                for generator, accumulator in zip(self._generators, accumulators, strict=True)
            ]
        compact = [
            generator.compact(accumulator)
            for generator, accumulator in zip(self._generators, accumulators, strict=True)
        ]
        yield split, (file, compact)


def _write(summarised: tuple[str, Iterable[tuple[str, list[Any]]]], out: str) -> None:
    """Merge the accumulators of a split's files, in the files' order, and write the statistics."""
    split, of_files = summarised
    accumulators = [of_file for _, of_file in sorted(of_files, key=lambda one: one[0])]
    statistics = merge_util.merge_dataset_feature_statistics(
        generator.extract_output(generator.merge_accumulators(of_generator))
        for generator, of_generator in zip(
            _generators(), zip(*accumulators, strict=True), strict=True
        )
    )
    write_bytes(f"{out}/Split-{split}/{DEFAULT_FILE_NAME}", statistics.SerializeToString())


class _Executor(base_beam_executor.BaseBeamExecutor):
    @override
    def Do(
        self,
        input_dict: ArtifactMultiDict,
        output_dict: ArtifactMultiDict,
        exec_properties: dict[str, Any],
    ) -> None:
        examples = artifact_utils.get_single_instance(input_dict["examples"])
        statistics = artifact_utils.get_single_instance(output_dict["statistics"])
        splits = artifact_utils.decode_split_names(examples.split_names)
        statistics.split_names = artifact_utils.encode_split_names(splits)
        statistics.span = examples.span
        files = {
            split: matching_files(artifact_utils.get_split_uri([examples], split), "*")
            for split in splits
        }
        with self._make_beam_pipeline() as pipeline:
            add_statistics(pipeline, files, statistics.uri)


class _Spec(component_spec.ComponentSpec):
    PARAMETERS: dict[str, component_spec.ExecutionParameter] = {}
    INPUTS = {"examples": component_spec.ChannelParameter(type=standard_artifacts.Examples)}
    OUTPUTS = {
        "statistics": component_spec.ChannelParameter(type=standard_artifacts.ExampleStatistics)
    }


class StatisticsGen(base_beam_component.BaseBeamComponent):
    """Writes TFDV's statistics of each split of examples.

    Args:
        examples: an Examples channel of TFRecord files of tf.Examples.
    """

    SPEC_CLASS = _Spec
    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(_Executor)

    def __init__(self, examples: types.BaseChannel) -> None:
        super().__init__(
            spec=_Spec(
                examples=examples,
                statistics=types.Channel(type=standard_artifacts.ExampleStatistics),
            )
        )
