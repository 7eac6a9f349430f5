"""Fulcrum's models on the workload, trained in one of three ways.

Arguments: the way, batch size, steps, units of an expert, values of a field, and for `in_memory`
the name of the model. The ways are

- `in_memory`: a model on batches in memory, through Keras' `fit`;
- `from_records`: PLE on examples from files, through `fit`, too, from the columns that the trainer
  packs them into, with the share of the time that steps wait for them;
- `dense_part`: the dense part of PLE alone, forwards and backwards from the looked-up embeddings.
"""

from __future__ import annotations

import dataclasses
import itertools
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from benchmarks import ple_workload as ple

if TYPE_CHECKING:
    from trainer.fit.multi_task_ranker import MultiTaskRanker


def in_memory(batch_size: int, steps: int, units: int, values: int, model_name: str) -> None:
    """Train through Keras' `fit`, as `trainer.fit.fitting` does, and report the figures."""
    model = ranker(batch_size, values, units, model_name)

    import tensorflow as tf  # isort: skip  after the trainer chose the Keras dialect

    # Batches are cut beforehand, as DeepCTR and torch-rechub cut theirs out of arrays.
    data = {
        name: value.reshape([steps, batch_size, -1])
        for name, value in features(batch_size * steps, values).items()
    }
    options = tf.data.Options()
    options.autotune.enabled = False  # as in `trainer.inputs.examples`
    dataset = tf.data.Dataset.from_tensor_slices(data).with_options(options)

    def train() -> int:
        model.fit(dataset, verbose=0)
        return batch_size * steps

    ple.measured(train).report()


def from_records(batch_size: int, steps: int, units: int, values: int) -> None:
    """Train through Keras' `fit`, then step by step, because `fit` does not tell how long it waits.

    The first epoch reads the files; the figures are those of a later one, from packed columns.
    """
    model = ranker(batch_size, values, units, "ple")

    import tensorflow as tf  # isort: skip  after the trainer chose the Keras dialect

    from trainer.inputs.packed_examples import packed_examples

    with tempfile.TemporaryDirectory() as folder:
        data = features(batch_size * steps, values)
        write(Path(folder) / "examples.gz", data)
        parsing = {
            name: tf.io.FixedLenFeature(
                [value.shape[1]], tf.int64 if value.dtype.kind == "i" else tf.float32
            )
            for name, value in data.items()
        }
        examples = packed_examples([f"{folder}/*.gz"], parsing, Path(folder) / "packed")
        epochs = itertools.count()

        def train() -> int:
            batches = examples.shuffled(batch_size, seed=0, epoch=next(epochs))
            model.fit(batches, steps_per_epoch=steps, verbose=0)
            return batch_size * steps

        measured = ple.measured(train)
        wait_rate = _wait_rate(model, iter(examples.shuffled(batch_size, seed=0)), steps)
    dataclasses.replace(measured, input_wait_rate=wait_rate).report()


def _wait_rate(model: MultiTaskRanker, batches: Iterator[Any], steps: int) -> float:
    """Return the share of the time of training that steps wait for their batch."""
    import tensorflow as tf

    step = tf.function(model.train_step, autograph=False)
    float(step(next(batches))["loss"])  # compiles
    waited_s = 0.0
    first = time.perf_counter()
    for _ in range(steps):
        began = time.perf_counter()
        batch = next(batches)
        waited_s += time.perf_counter() - began
        float(step(batch)["loss"])  # the step is over
    return waited_s / (time.perf_counter() - first)


def dense_part(batch_size: int, steps: int, units: int, values: int) -> None:
    """Run the program that XLA compiled, as a training step does, and report its figures."""
    model = ranker(batch_size, values, units, "ple")

    import tensorflow as tf  # isort: skip  after the trainer chose the Keras dialect

    batch = {name: tf.constant(value) for name, value in features(batch_size, values).items()}
    lookups = model.network.look_up(batch)
    sizes = tf.reduce_sum(batch["masks"], axis=0)

    @tf.function(autograph=False)
    def run() -> tf.Tensor:
        return model.dense_gradients(lookups, batch, sizes, model.clock, model.step)[2][0][0][
            0, 0, 0
        ]

    def train() -> int:
        for _ in range(steps):
            result = run()
        float(result)
        return batch_size * steps

    ple.measured(train).report()


def ranker(
    batch_size: int,
    values: int,
    units: int,
    model_name: str,
    *,
    own: Mapping[str, Any] = MappingProxyType({}),
    trainer: Mapping[str, Any] = MappingProxyType({}),
) -> MultiTaskRanker:
    """Return a model of the registry, about as wide as the workload's PLE, ready to train.

    Args:
        batch_size: rows of a batch.
        values: values of each field.
        units: the width of the model.
        model_name: the name of the model.
        own: further settings of the model.
        trainer: further settings of the trainer.
    """
    from feature_spec.tasks.task import Task
    from trainer.fit.multi_task_ranker import MultiTaskRanker
    from trainer.layers.field_embedding import SlotLayout
    from trainer.network.network import Network
    from trainer.network.network_layout import NetworkLayout
    from trainer.settings.train_config import parse_settings

    settings = parse_settings(
        {
            "name": model_name,
            "tower_units": [ple.TOWER_UNITS],
            **same_width(units)[model_name],
            **own,
        },
        {"batch_size": batch_size, **trainer},
    )
    task = {
        "kind": "binary",
        "label": {"rule": "event", "column": "x"},
        "metric": "auc",
        "threshold": 0.5,
        "tolerance": 0.1,
    }
    tasks = {f"task_{number}": Task.model_validate(task) for number in range(ple.TASKS)}
    layout = NetworkLayout(
        table_rows={ple.WIDTH: ple.FIELDS * values},
        slots={
            "request": (),
            "candidate": tuple(SlotLayout(field, 1, ple.WIDTH, -1) for field in range(ple.FIELDS)),
        },
        numbers={"request": 0, "candidate": ple.NUMBERS},
        tasks=dict.fromkeys(tasks, "binary"),
    )
    network = Network(layout, settings)
    network(features(2, values))  # makes the variables
    model = MultiTaskRanker(network, tasks, settings.trainer)
    model.compile_for_training()
    return model


def features(rows: int, values: int) -> dict[str, Any]:
    """Return the workload as transformed examples, (rows, ·) each."""
    import numpy as np

    data = ple.rows(rows, values)
    return {
        # Rows of the one table: each field's values follow those of the field before it.
        "candidate_ids": data["ids"] + values * np.arange(ple.FIELDS),
        "candidate_numbers": data["numbers"],
        "labels": data["labels"],
        "masks": np.ones_like(data["labels"]),
    }


def same_width(units: int) -> dict[str, dict[str, Any]]:
    """Return settings for each model with about as many units as the workload's PLE."""
    return {
        "single_task": {"bottom_units": [units] * ple.LEVELS},
        "shared_bottom": {"bottom_units": [units] * ple.LEVELS},
        "asymmetric": {"bottom_units": [units] * ple.LEVELS},
        "customized": {"bottom_units": [units] * ple.LEVELS},
        "cross_stitch": {"units": [units] * ple.LEVELS},
        "sluice": {"layers": ple.LEVELS, "units": units},
        "mmoe": {"experts": 6, "expert_units": [units] * ple.LEVELS},
        "ml_mmoe": {"levels": ple.LEVELS, "experts": 6, "expert_units": [units]},
        "dselect_k": {"experts": 6, "units": units},
        "cgc": {
            "task_experts": ple.TASK_EXPERTS,
            "shared_experts": ple.SHARED_EXPERTS,
            "expert_units": [units] * ple.LEVELS,
        },
        "ple": {
            "levels": ple.LEVELS,
            "task_experts": ple.TASK_EXPERTS,
            "shared_experts": ple.SHARED_EXPERTS,
            "expert_units": [units],
        },
        "snr_aver": {"levels": ple.LEVELS, "subnetworks": 6, "units": units},
        "snr_trans": {"levels": ple.LEVELS, "subnetworks": 6, "units": units},
        "mssm": {"units": units},
    }


def write(file: Path, data: dict) -> None:
    """Write examples as Transform does."""
    import tensorflow as tf

    with tf.io.TFRecordWriter(str(file), "GZIP") as writer:
        for row in range(len(data["labels"])):
            example = tf.train.Example()
            for name, value in data.items():
                feature = example.features.feature[name]
                (
                    feature.int64_list if value.dtype.kind == "i" else feature.float_list
                ).value.extend(value[row].tolist())
            writer.write(example.SerializeToString())


WAYS = {"in_memory": in_memory, "from_records": from_records, "dense_part": dense_part}

if __name__ == "__main__":
    way, *sizes = sys.argv[1:6]
    WAYS[way](*map(int, sizes), *sys.argv[6:])
