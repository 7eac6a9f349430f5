"""Names of the experts of a model, by the module that they belong to."""

from __future__ import annotations

from collections.abc import Sequence

from trainer.layers.expert_modules import ExpertModules
from trainer.models.adatt import AdaTT
from trainer.models.ple import PLE
from trainer.models.stem import STEM


def expert_modules(
    model: PLE | AdaTT, level: ExpertModules, tasks: Sequence[str]
) -> dict[str, list[str]]:
    """Return the names of the experts of each module of a level, in order, by the module's name.

    A module serves a task, a group of tasks, or all. A group is called after its tasks.

    Args:
        model: the model.
        level: one of its levels.
        tasks: names of the tasks.
    """
    groups = [
        "_and_".join(tasks[task] for task in group)
        for group in (model.task_groups if isinstance(model, PLE) else None) or ()
    ]
    names = {f"task_{task}": ("own", f" of {task}") for task in tasks}
    if groups and level.last:
        names |= {f"group_{group}": ("shared", f" of {group}") for group in groups}
    elif groups:
        names = {f"group_{group}": ("own", f" of {group}") for group in groups}
    names["shared"] = ("shared", "")
    # AdaTT may have no shared module.
    return {
        module: [f"{name}{of}" for name in numbered(kind, count)]
        for (module, (kind, of)), count in zip(names.items(), level.counts, strict=False)
    }


def stem_experts(model: STEM, tasks: Sequence[str]) -> list[str]:
    """Return the names of the experts of all tasks, then of the shared ones."""
    counts = range(1, model.task_experts + 1)
    own = [f"own {number} of {task}" for task in tasks for number in counts]
    return own + numbered("shared", model.shared.experts)


def numbered(kind: str, count: int) -> list[str]:
    """Return the names of several parts of one kind: `shared 1`, `shared 2`."""
    return [f"{kind} {number + 1}" for number in range(count)]
