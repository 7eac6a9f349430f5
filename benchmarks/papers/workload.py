"""The workload of a comparison: tasks, places of the fields, and transformed examples in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt

from feature_spec import names
from feature_spec.tasks.task import Task

if TYPE_CHECKING:
    from trainer.network.network_layout import NetworkLayout

# Transformed examples by feature: ids and numbers of each side, labels and masks (rows, K).
Examples: TypeAlias = "dict[str, npt.NDArray[np.generic]]"


@dataclass(frozen=True, kw_only=True)
class Workload:
    """A data set that is ready to train on.

    Attributes:
        tasks: tasks by name, in the order of the columns of labels and masks.
        layout: sizes of the tables and places of the fields.
        splits: transformed examples by split, for each of `feature_spec.names.SPLITS`.
    """

    tasks: Mapping[str, Task]
    layout: NetworkLayout
    splits: Mapping[str, Examples]

    def of_tasks(self, chosen: Sequence[str]) -> Workload:
        """Return the same examples with these tasks only, in the order of the workload."""
        columns = [position for position, task in enumerate(self.tasks) if task in chosen]
        kept = [list(self.tasks)[column] for column in columns]
        return Workload(
            tasks={task: self.tasks[task] for task in kept},
            layout=replace(self.layout, tasks={task: self.layout.tasks[task] for task in kept}),
            splits={
                split: {
                    **examples,
                    **{name: examples[name][:, columns] for name in (names.LABELS, names.MASKS)},
                }
                for split, examples in self.splits.items()
            },
        )
