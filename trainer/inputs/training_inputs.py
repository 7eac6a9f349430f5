"""What a training reads: the spec, transformed examples, and what follows from the transform graph."""

from __future__ import annotations

from dataclasses import dataclass

import tensorflow as tf
import tensorflow_transform as tft

from feature_spec.feature_layout import FeatureLayout, vocabulary_file
from feature_spec.loading import parse_spec
from feature_spec.spec import FeatureSpec
from trainer.inputs.dataset import transformed_batches
from trainer.inputs.training_job import TrainingJob
from trainer.network.network_layout import NetworkLayout, network_layout
from trainer.settings.train_config import TrainerSettings


@dataclass(frozen=True, kw_only=True)
class TrainingInputs:
    """The inputs of a job.

    Attributes:
        job: whose inputs they are.
        spec: fields and tasks.
        transform: the transform graph.
        vocabularies: entries of each vocabulary file that Transform found, by its name.
        layout: of the network.
    """

    job: TrainingJob
    spec: FeatureSpec
    transform: tft.TFTransformOutput
    vocabularies: dict[str, list[bytes]]
    layout: NetworkLayout

    def batches(self, settings: TrainerSettings) -> tuple[tf.data.Dataset, tf.data.Dataset]:
        """Batches to train on, and larger ones to validate with. Their order follows from the settings' seed alone."""
        # A training sets TensorFlow's global seed, which would also decide the order of the next
        # one's in this process.
        tf.random.set_seed(None)
        features = self.transform.transformed_feature_spec()
        return (
            transformed_batches(
                self.job.train_files, features, settings.batch_size, shuffle_seed=settings.seed
            ),
            transformed_batches(self.job.validation_files, features, 4 * settings.batch_size),
        )


def training_inputs(job: TrainingJob) -> TrainingInputs:
    """Reads the transform graph of a job."""
    spec = parse_spec(job.spec)
    transform = tft.TFTransformOutput(job.transform_graph)
    feature_layout = FeatureLayout(spec)
    files = [
        vocabulary_file(width)
        for width in feature_layout.widths
        if feature_layout.has_vocabulary(width)
    ]
    vocabularies = {file: transform.vocabulary_by_name(file) for file in files}
    layout = network_layout(spec, {file: len(entries) for file, entries in vocabularies.items()})
    return TrainingInputs(
        job=job, spec=spec, transform=transform, vocabularies=vocabularies, layout=layout
    )
