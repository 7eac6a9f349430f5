"""What a task's score says, in words."""

from __future__ import annotations

from feature_spec.spec_tables import label_text, sample_space_text
from feature_spec.tasks.task import Task


def task_meaning(task: Task) -> str:
    """Such as ``probability of shared, if played``."""
    kind = "probability of" if task.kind == "binary" else "expected"
    condition = f", if {sample_space_text(task.sample_space)}" if task.sample_space else ""
    return f"{kind} {label_text(task.label)}{condition}"
