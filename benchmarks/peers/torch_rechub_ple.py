"""torch-rechub's part: bare training steps over batches in memory. Arguments: batch size, steps, values a field."""

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


def main(batch_size: int, steps: int, values: int) -> None:
    """Trains."""
    import torch
    from torch_rechub.basic.features import DenseFeature, SparseFeature
    from torch_rechub.models.multi_task import PLE

    features = [SparseFeature(f"category_{field}", values, embed_dim=WIDTH) for field in range(FIELDS)]
    features += [DenseFeature(f"number_{field}") for field in range(NUMBERS)]
    model = PLE(
        features, ["classification"] * TASKS, n_level=LEVELS, n_expert_specific=TASK_EXPERTS, n_expert_shared=SHARED_EXPERTS,
        expert_params={"dims": [EXPERT_UNITS]}, tower_params_list=[{"dims": [TOWER_UNITS]}] * TASKS,
    )  # fmt: skip
    optimizer, loss_of = torch.optim.Adam(model.parameters(), 1e-3), torch.nn.BCELoss()
    data = rows(batch_size * steps, values)
    inputs = {f"category_{field}": torch.tensor(data["ids"][:, field]) for field in range(FIELDS)}
    inputs |= {f"number_{field}": torch.tensor(data["numbers"][:, field]) for field in range(NUMBERS)}
    labels = torch.tensor(data["labels"])

    def train() -> int:
        for step in range(steps):
            batch = slice(step * batch_size, (step + 1) * batch_size)
            scores = model({name: values[batch] for name, values in inputs.items()})
            loss = sum(loss_of(scores[:, task], labels[batch, task]) for task in range(TASKS))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        return batch_size * steps

    measured(train).report()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:4]))
