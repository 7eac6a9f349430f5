"""Fulcrum's part. Arguments: batch size, steps, values a field, model."""

from __future__ import annotations

import sys

from benchmarks import ple_workload as ple


def main(batch_size: int, steps: int, values: int, model_name: str) -> None:
    """Trains through Keras' `fit`, as `trainer.fitting` does."""
    from feature_spec.task import Task
    from trainer.layers.field_embedding import SlotLayout
    from trainer.multi_task_ranker import MultiTaskRanker
    from trainer.network import Network
    from trainer.network_layout import NetworkLayout
    from trainer.settings import parse_settings

    import tensorflow as tf  # isort: skip  after the trainer chose the Keras dialect

    same_width = {
        "single_task": {"bottom_units": [ple.EXPERT_UNITS] * ple.LEVELS},
        "shared_bottom": {"bottom_units": [ple.EXPERT_UNITS] * ple.LEVELS},
        "asymmetric": {"bottom_units": [ple.EXPERT_UNITS] * ple.LEVELS},
        "customized": {"bottom_units": [ple.EXPERT_UNITS] * ple.LEVELS},
        "cross_stitch": {"units": [ple.EXPERT_UNITS] * ple.LEVELS},
        "sluice": {"layers": ple.LEVELS, "units": ple.EXPERT_UNITS},
        "mmoe": {"experts": 6, "expert_units": [ple.EXPERT_UNITS] * ple.LEVELS},
        "ml_mmoe": {"levels": ple.LEVELS, "experts": 6, "expert_units": [ple.EXPERT_UNITS]},
        "cgc": {
            "task_experts": ple.TASK_EXPERTS,
            "shared_experts": ple.SHARED_EXPERTS,
            "expert_units": [ple.EXPERT_UNITS] * ple.LEVELS,
        },
        "ple": {
            "levels": ple.LEVELS,
            "task_experts": ple.TASK_EXPERTS,
            "shared_experts": ple.SHARED_EXPERTS,
            "expert_units": [ple.EXPERT_UNITS],
        },
        "snr_aver": {"levels": ple.LEVELS, "subnetworks": 6, "units": ple.EXPERT_UNITS},
        "snr_trans": {"levels": ple.LEVELS, "subnetworks": 6, "units": ple.EXPERT_UNITS},
        "mssm": {"units": ple.EXPERT_UNITS},
    }
    settings = parse_settings(
        {"name": model_name, "tower_units": [ple.TOWER_UNITS], **same_width[model_name]}, {"batch_size": batch_size}
    )
    tasks = {
        f"task_{number}": Task.model_validate(
            {"kind": "binary", "label": {"rule": "event", "column": "x"}, "metric": "auc", "threshold": 0.5, "tolerance": 0.1}
        )
        for number in range(ple.TASKS)
    }
    layout = NetworkLayout(
        table_rows={ple.WIDTH: ple.FIELDS * values},
        slots={"request": (), "candidate": tuple(SlotLayout(field, 1, ple.WIDTH, -1) for field in range(ple.FIELDS))},
        numbers={"request": 0, "candidate": ple.NUMBERS},
        tasks=dict.fromkeys(tasks, "binary"),
    )
    data = ple.rows(batch_size * steps, values)
    features = {
        # Rows of the one table: each field's values follow those of the field before it.
        "candidate_ids": data["ids"] + values * tf.range(ple.FIELDS, dtype=tf.int64),
        "candidate_numbers": data["numbers"],
        "labels": data["labels"],
        "masks": tf.ones_like(data["labels"]),
    }
    # Cut into batches beforehand, as DeepCTR's and torch-rechub's are cut out of arrays.
    batches = {name: tf.reshape(value, [steps, batch_size, value.shape[1]]) for name, value in features.items()}
    # Batches are in memory; tf.data's autotuner can only add its own waits, of up to a second at the end of an epoch.
    options = tf.data.Options()
    options.autotune.enabled = False
    dataset = tf.data.Dataset.from_tensor_slices(batches).with_options(options)
    network = Network(layout, settings)
    network({name: values[:2] for name, values in features.items()})
    model = MultiTaskRanker(network, tasks, settings.trainer)
    model.compile_for_training()

    def train() -> int:
        model.fit(dataset, verbose=0)
        return batch_size * steps

    ple.measured(train).report()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
