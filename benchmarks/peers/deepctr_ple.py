"""DeepCTR's PLE, trained through its own Keras `fit`.

Arguments: batch size, steps, units of an expert, values of a field.
"""

from __future__ import annotations

import os
import sys

os.environ["TF_USE_LEGACY_KERAS"] = "1"

from benchmarks import ple_workload as ple


def main(batch_size: int, steps: int, units: int, values: int) -> None:
    """Train DeepCTR's PLE and report its figures."""
    from deepctr.feature_column import DenseFeat, SparseFeat
    from deepctr.models import PLE

    columns = [SparseFeat(f"category_{field}", values, ple.WIDTH) for field in range(ple.FIELDS)]
    columns += [DenseFeat(f"number_{field}", 1) for field in range(ple.NUMBERS)]
    model = PLE(
        columns,
        shared_expert_num=ple.SHARED_EXPERTS,
        specific_expert_num=ple.TASK_EXPERTS,
        num_levels=ple.LEVELS,
        expert_dnn_hidden_units=(units,),
        tower_dnn_hidden_units=(ple.TOWER_UNITS,),
        task_types=("binary",) * ple.TASKS,
        task_names=[f"task_{task}" for task in range(ple.TASKS)],
    )
    model.compile("adam", ["binary_crossentropy"] * ple.TASKS)
    data = ple.rows(batch_size * steps, values)
    inputs = {
        f"category_{field}": data["ids"][:, field].astype("int32") for field in range(ple.FIELDS)
    }
    inputs |= {f"number_{field}": data["numbers"][:, field] for field in range(ple.NUMBERS)}
    labels = [data["labels"][:, task] for task in range(ple.TASKS)]

    def train() -> int:
        model.fit(inputs, labels, batch_size=batch_size, epochs=1, verbose=0)
        return batch_size * steps

    ple.measured(train).report()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:5]))
