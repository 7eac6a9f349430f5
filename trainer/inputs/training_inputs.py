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
from trainer.network.vocabulary import Vocabulary
from trainer.settings.train_config import TrainerSettings

# The examples in the shuffle buffer: enough to mix the days of a log, few enough for memory.
_SHUFFLE_EXAMPLES = 200_000
_PREFETCHED_BATCHES = 8


def transformed_batches(
    patterns: Sequence[str],
    features: Mapping[str, tf.io.FixedLenFeature],
    batch_size: int,
    *,
    shuffle_seed: int | None = None,
) -> tf.data.Dataset:
    """Read gzipped TFRecords of transformed examples in batches.

    Args:
        patterns: globs of the files.
        features: the features of each example. They are few, because Transform packs them.
        batch_size: B, the number of examples in a batch.
        shuffle_seed: the seed of the order of examples, which is drawn anew each epoch. The last
            examples that do not fill a batch are left out, so that all batches of a training have
            one shape. None keeps all examples in the order of the files.

    Returns:
        Batches: dicts of (B, ·) tensors. Their number is known, for which the files are read once.
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
    # The thread of tf.data's autotuner delays the end of each pass by up to a second.
    options.autotune.enabled = False
    return dataset.prefetch(_PREFETCHED_BATCHES).with_options(options)


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

    def batches(self, settings: TrainerSettings) -> tuple[tf.data.Dataset, tf.data.Dataset]:
        """Return batches to train on, and larger ones to validate with.

        The seed of the settings alone decides the order of examples.
        """
        # A training sets TensorFlow's global seed, which would otherwise decide the order of the
        # next training in this process, too.
        tf.random.set_seed(None)
        features = self.transform.transformed_feature_spec()
        return (
            transformed_batches(
                self.job.train_files, features, settings.batch_size, shuffle_seed=settings.seed
            ),
            transformed_batches(self.job.validation_files, features, 4 * settings.batch_size),
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
    vocabularies = {
        file: Vocabulary.of_file(transform.vocabulary_file_by_name(file)) for file in files
    }
    layout = network_layout(spec, {file: len(entries) for file, entries in vocabularies.items()})
    return TrainingInputs(
        job=job, spec=spec, transform=transform, vocabularies=vocabularies, layout=layout
    )
