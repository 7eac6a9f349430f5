"""DeepCTR's PLE in the serving benchmark, exported and called in process.

Arguments: a folder for the export, and `texts` or `ids`. With `texts`, categories come as the
texts that requests hold, and DeepCTR hashes them in the graph. With `ids`, they come as ids that
were looked up beforehand. The script reads lines `<candidates> <calls>` and answers each with the
times of the calls in ms as JSON.
"""

from __future__ import annotations

import json
import os
import sys
import time
from typing import Any

os.environ["TF_USE_LEGACY_KERAS"] = "1"

from benchmarks import ple_workload as ple
from benchmarks.serving_workload import FIELDS_OF, VALUES, is_number


def main(folder: str, categories: str) -> None:
    """Export the model, load it, and answer lines until stdin ends."""
    import numpy as np
    import tensorflow as tf
    from deepctr.feature_column import DenseFeat, SparseFeat
    from deepctr.models import PLE

    names = [
        (f"{side}_{position}", is_number(position))
        for side, count in FIELDS_OF.items()
        for position in range(count)
    ]
    as_text = {"use_hash": True, "dtype": "string"} if categories == "texts" else {}
    model = PLE(
        [
            DenseFeat(name, 1) if number else SparseFeat(name, VALUES, ple.WIDTH, **as_text)
            for name, number in names
        ],
        shared_expert_num=ple.SHARED_EXPERTS,
        specific_expert_num=ple.TASK_EXPERTS,
        num_levels=ple.LEVELS,
        expert_dnn_hidden_units=(ple.EXPERT_UNITS,),
        tower_dnn_hidden_units=(ple.TOWER_UNITS,),
        task_types=("binary",) * ple.TASKS,
        task_names=[f"task_{task}" for task in range(ple.TASKS)],
    )
    tf.saved_model.save(model, folder)
    loaded = tf.saved_model.load(folder)
    signature = loaded.signatures["serving_default"]
    random = np.random.default_rng(0)
    for line in sys.stdin:
        candidates, calls = map(int, line.split())
        # Every row holds the fields of the user too, since the model has no other form of request.
        inputs = {
            name: _column(
                random, candidates, number, signature.structured_input_signature[1][name].dtype
            )
            for name, number in names
        }
        times_ms = []
        for _ in range(calls):
            began_s = time.perf_counter()
            for scores in signature(**inputs).values():
                scores.numpy()
            times_ms.append(1000.0 * (time.perf_counter() - began_s))
        print("TIMES " + json.dumps(times_ms), flush=True)  # noqa: T201 the worker's answer


def _column(random: Any, rows: int, number: bool, dtype: Any) -> Any:
    import tensorflow as tf

    if number:
        return tf.constant(random.random((rows, 1)), dtype)
    ids = random.integers(0, VALUES, (rows, 1))
    return (
        tf.constant([[f"value_{value}"] for [value] in ids])
        if dtype == tf.string
        else tf.constant(ids, dtype)
    )


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
