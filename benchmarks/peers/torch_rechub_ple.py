"""torch-rechub's PLE, trained by bare steps over batches in memory.

Arguments: batch size, steps, units of an expert, values of a field.
"""

from __future__ import annotations

import sys

from benchmarks import ple_workload as ple


def main(batch_size: int, steps: int, units: int, values: int) -> None:
    """Train torch-rechub's PLE and report its figures."""
    import torch
    from torch_rechub.basic.features import DenseFeature, SparseFeature
    from torch_rechub.models.multi_task import PLE

    features = [
        SparseFeature(f"category_{field}", values, embed_dim=ple.WIDTH)
        for field in range(ple.FIELDS)
    ]
    features += [DenseFeature(f"number_{field}") for field in range(ple.NUMBERS)]
    model = PLE(
        features,
        ["classification"] * ple.TASKS,
        n_level=ple.LEVELS,
        n_expert_specific=ple.TASK_EXPERTS,
        n_expert_shared=ple.SHARED_EXPERTS,
        expert_params={"dims": [units]},
        tower_params_list=[{"dims": [ple.TOWER_UNITS]}] * ple.TASKS,
    )
    optimizer, loss_of = torch.optim.Adam(model.parameters(), 1e-3), torch.nn.BCELoss()
    data = ple.rows(batch_size * steps, values)
    inputs = {
        f"category_{field}": torch.tensor(data["ids"][:, field]) for field in range(ple.FIELDS)
    }
    inputs |= {
        f"number_{field}": torch.tensor(data["numbers"][:, field]) for field in range(ple.NUMBERS)
    }
    labels = torch.tensor(data["labels"])

    def train() -> int:
        for step in range(steps):
            batch = slice(step * batch_size, (step + 1) * batch_size)
            scores = model({name: values[batch] for name, values in inputs.items()})
            loss = sum(loss_of(scores[:, task], labels[batch, task]) for task in range(ple.TASKS))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        return batch_size * steps

    ple.measured(train).report()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:5]))
