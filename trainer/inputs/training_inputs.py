"""The inputs of a training: the spec, transformed examples in batches, and the network's layout."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import tensorflow as tf
import tensorflow_transform as tft

from feature_spec.feature_layout import FeatureLayout, vocabulary_file
from feature_spec.loading import parse_spec
from feature_spec.spec import FeatureSpec
from trainer.inputs.training_job import TrainingJob
from trainer.network.network_layout import NetworkLayout, network_layout
from trainer.settings.train_config import TrainerSettings

# Examples held in memory to be drawn from at random: many enough to mix the days of a log, few
# enough to fit.
_SHUFFLE_EXAMPLES = 200_000
_PREFETCHED_BATCHES = 8


def transformed_batches(
    patterns: Sequence[str],
    features: Mapping[str, tf.io.FixedLenFeature],
    batch_size: int,
    *,
    shuffle_seed: int | None = None,
) -> tf.data.Dataset:
    """Reads gzipped TFRecords of transformed examples.

    Args:
        patterns: globs of the files.
        features: what each example holds; few, because Transform packs them.
        batch_size: B.
        shuffle_seed: draws the order of the examples, anew each epoch, and leaves out the last ones
            that do not fill a batch, so that all batches of a training run have one shape. None
            keeps all examples in the order of the files.

    Returns:
        Batches: dict of (B, ·) tensors. Their number is known, for which the files are read once.
    """
    parallel_calls = os.cpu_count() or 1
    files = tf.data.Dataset.list_files(list(patterns), shuffle=False)
    dataset = files.interleave(
        lambda file: tf.data.TFRecordDataset(file, compression_type="GZIP", buffer_size=8 << 20),
        cycle_length=4,
        num_parallel_calls=parallel_calls,
        deterministic=True,
    )
    examples = int(dataset.reduce(np.int64(0), lambda count, _: count + 1))
    dataset = dataset.apply(tf.data.experimental.assert_cardinality(examples))
    if shuffle_seed is not None:
        dataset = dataset.shuffle(_SHUFFLE_EXAMPLES, seed=shuffle_seed)
    dataset = dataset.batch(batch_size, drop_remainder=shuffle_seed is not None)
    dataset = dataset.map(
        lambda examples: tf.io.parse_example(examples, dict(features)),
        num_parallel_calls=parallel_calls,
    )
    options = tf.data.Options()
    # The thread of tf.data's autotuner holds up the end of each pass by up to a second.
    options.autotune.enabled = False
    return dataset.prefetch(_PREFETCHED_BATCHES).with_options(options)


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
