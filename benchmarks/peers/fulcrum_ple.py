"""Fulcrum's part. Arguments: batch size, steps, values a field, model."""

from __future__ import annotations

import sys

from benchmarks.ple_workload import (
    EXPERT_UNITS,
    FIELDS,
    LEVELS,
    NUMBERS,
    SHARED_EXPERTS,
    TASK_EXPERTS,
    TASKS,
    TOWER_UNITS,
    WIDTH,
    measured,
    rows,
)  # fmt: skip


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
        "single_task": {"bottom_units": [EXPERT_UNITS] * LEVELS},
        "shared_bottom": {"bottom_units": [EXPERT_UNITS] * LEVELS},
        "asymmetric": {"bottom_units": [EXPERT_UNITS] * LEVELS},
        "customized": {"bottom_units": [EXPERT_UNITS] * LEVELS},
        "cross_stitch": {"units": [EXPERT_UNITS] * LEVELS},
        "sluice": {"layers": LEVELS, "units": EXPERT_UNITS},
        "mmoe": {"experts": 6, "expert_units": [EXPERT_UNITS] * LEVELS},
        "ml_mmoe": {"levels": LEVELS, "experts": 6, "expert_units": [EXPERT_UNITS]},
        "cgc": {"task_experts": TASK_EXPERTS, "shared_experts": SHARED_EXPERTS, "expert_units": [EXPERT_UNITS] * LEVELS},
        "ple": {
            "levels": LEVELS, "task_experts": TASK_EXPERTS, "shared_experts": SHARED_EXPERTS, "expert_units": [EXPERT_UNITS],
        },
        "snr_aver": {"levels": LEVELS, "subnetworks": 6, "units": EXPERT_UNITS},
        "snr_trans": {"levels": LEVELS, "subnetworks": 6, "units": EXPERT_UNITS},
        "mssm": {"units": EXPERT_UNITS},
    }  # fmt: skip
    settings = parse_settings(
        {"name": model_name, "tower_units": [TOWER_UNITS], **same_width[model_name]}, {"batch_size": batch_size}
    )
    tasks = {
        f"task_{number}": Task.model_validate(
            {"kind": "binary", "label": {"rule": "event", "column": "x"}, "metric": "auc", "threshold": 0.5, "tolerance": 0.1}
        )
        for number in range(TASKS)
    }
    layout = NetworkLayout(
        table_rows={WIDTH: FIELDS * values},
        slots={"request": (), "candidate": tuple(SlotLayout(field, 1, WIDTH, -1) for field in range(FIELDS))},
        numbers={"request": 0, "candidate": NUMBERS},
        tasks=dict.fromkeys(tasks, "binary"),
    )
    data = rows(batch_size * steps, values)
    features = {
        # Rows of the one table: each field's values follow those of the field before it.
        "candidate_ids": data["ids"] + values * tf.range(FIELDS, dtype=tf.int64),
        "candidate_numbers": data["numbers"],
        "labels": data["labels"],
        "masks": tf.ones_like(data["labels"]),
    }
    # Cut into batches beforehand, as DeepCTR's and torch-rechub's are cut out of arrays.
    batches = {name: tf.reshape(value, [steps, batch_size, value.shape[1]]) for name, value in features.items()}
    dataset = tf.data.Dataset.from_tensor_slices(batches).prefetch(tf.data.AUTOTUNE)
    network = Network(layout, settings)
    network({name: values[:2] for name, values in features.items()})
    model = MultiTaskRanker(network, tasks, settings.trainer)
    model.compile_for_training()

    def train() -> int:
        model.fit(dataset, verbose=0)
        return batch_size * steps

    measured(train).report()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
