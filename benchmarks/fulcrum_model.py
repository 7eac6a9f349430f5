"""The model that Fulcrum trains in the speed benchmark, and its batches in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchmarks import ple_workload as ple

if TYPE_CHECKING:
    from trainer.fit.multi_task_ranker import MultiTaskRanker


def ranker(batch_size: int, values: int, units: int, model_name: str) -> MultiTaskRanker:
    """Return a model of the registry, about as wide as the workload's PLE, ready to train."""
    from feature_spec.tasks.task import Task
    from trainer.fit.multi_task_ranker import MultiTaskRanker
    from trainer.layers.field_embedding import SlotLayout
    from trainer.network.network import Network
    from trainer.network.network_layout import NetworkLayout
    from trainer.settings.train_config import parse_settings

    settings = parse_settings(
        {"name": model_name, "tower_units": [ple.TOWER_UNITS], **same_width(units)[model_name]},
        {"batch_size": batch_size},
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
