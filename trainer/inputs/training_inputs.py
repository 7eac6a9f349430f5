"""The inputs of a training: the spec, transformed examples, and the network's layout."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import tensorflow_transform as tft

from feature_spec.feature_layout import FeatureLayout, vocabulary_file
from feature_spec.loading import parse_spec
from feature_spec.names import TRAIN, VALIDATION
from feature_spec.spec import FeatureSpec
from trainer.inputs.examples import Examples, sorted_examples
from trainer.inputs.training_job import TrainingJob
from trainer.network.network_layout import NetworkLayout, network_layout
from trainer.network.vocabulary import Vocabulary

# The folder of the examples below that of a training's checkpoints.
EXAMPLES = "examples"


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

    def examples(self, folder: Path) -> tuple[Examples, Examples]:
        """Return the examples to train on, and those to validate with.

        Args:
            folder: keeps the examples on disk. If an earlier call finished there, its are taken.
        """
        features = self.transform.transformed_feature_spec()
        return (
            sorted_examples(self.job.train_files, features, folder / TRAIN),
            sorted_examples(self.job.validation_files, features, folder / VALIDATION),
        )


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
