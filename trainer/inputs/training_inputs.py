"""The inputs of a training: the spec, examples as columns, and the network's layout."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import tensorflow_transform as tft

from feature_spec import names
from feature_spec.feature_layout import FeatureLayout, vocabulary_file
from feature_spec.loading import parse_spec
from feature_spec.spec import FeatureSpec
from trainer.inputs.examples import Examples
from trainer.inputs.ingested_examples import transforming
from trainer.inputs.label_quantiles import LabelQuantiles, label_quantiles, with_quantiles
from trainer.inputs.packed_examples import content_key, only_folder, packed_examples
from trainer.inputs.training_job import TrainingJob
from trainer.network.network_layout import NetworkLayout, network_layout
from trainer.network.vocabulary import Vocabulary


@dataclass(frozen=True, kw_only=True)
class TrainingInputs:
    """The inputs of a training job.

    Attributes:
        job: the job.
        spec: the feature spec, with fields and tasks.
        transform: the transform graph.
        vocabularies: the vocabularies that Transform found, by file name.
        layout: the layout of the network.
    """

    job: TrainingJob
    spec: FeatureSpec
    transform: tft.TFTransformOutput
    vocabularies: dict[str, Vocabulary]
    layout: NetworkLayout

    def examples(self) -> tuple[Examples, Examples]:
        """Return the examples to train on, and those to validate with, as columns on disk.

        An earlier job over the same examples and the same transform graph has left them, or else
        this call writes them and removes those of other examples. Labels of tasks with
        `quantile_within` are quantiles, in memory.
        """
        train, validation = self._own_examples()
        quantiles = label_quantiles(self.spec, train)
        return (
            with_quantiles(self.spec, train, quantiles),
            with_quantiles(self.spec, validation, quantiles),
        )

    def label_quantiles(self) -> dict[str, LabelQuantiles]:
        """Return the distributions of the training's labels, of tasks with `quantile_within`."""
        if not any(task.quantile_within for task in self.spec.tasks.values()):
            return {}
        return label_quantiles(self.spec, self._own_examples()[0])

    def _own_examples(self) -> tuple[Examples, Examples]:
        """Return both splits, with labels in their own unit."""
        job, features = self.job, self.transform.transformed_feature_spec()
        is_raw = not job.settings.trainer.materialize_transform
        key = content_key(
            [*job.train_files, "", *job.validation_files],
            self.transform.transform_savedmodel_dir,
            "ingested" if is_raw else "transformed",
        )
        folder = only_folder(job.packed_examples, key)
        reading = (
            functools.partial(transforming, self.spec, job.transform_graph) if is_raw else None
        )
        train, validation = (
            packed_examples(files, features, folder / split, reading)
            for split, files in (
                (names.TRAIN, job.train_files),
                (names.VALIDATION, job.validation_files),
            )
        )
        return train, validation


def training_inputs(job: TrainingJob) -> TrainingInputs:
    """Read the transform graph of a job."""
    spec = parse_spec(job.spec)
    transform = tft.TFTransformOutput(job.transform_graph)
    feature_layout = FeatureLayout(spec)
    files = [
        vocabulary_file(width)
        for width in feature_layout.widths
        if feature_layout.has_vocabulary(width)
    ]
    vocabularies = {file: _vocabulary(transform, file) for file in files}
    layout = network_layout(spec, {file: len(entries) for file, entries in vocabularies.items()})
    return TrainingInputs(
        job=job, spec=spec, transform=transform, vocabularies=vocabularies, layout=layout
    )


def _vocabulary(transform: tft.TFTransformOutput, file: str) -> Vocabulary:
    path = transform.vocabulary_file_by_name(file)
    if path is None:
        raise ValueError(
            f"{transform.transform_savedmodel_dir} has no vocabulary {file!r}: Transform has run "
            "with another spec than the training"
        )
    return Vocabulary.of_file(path)
