"""Chains: tasks whose event can only follow another task's, such as a purchase after a click.

A task with `given: click` has its label where the label of `click` is 1, its *condition*. Its score
is the conditional probability P(buy | click). The product with the scores of all tasks before it in
the chain is the *joint* probability P(click and buy), over the sample space of the chain's first
task, which is the whole space.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from feature_spec import names
from feature_spec.strict_model import Problem, closest_names
from feature_spec.tasks.label_rule import ExposureColumns, LabelRule, SampleSpace, TaskKind

if TYPE_CHECKING:
    import numpy as np

    from feature_spec.tasks.task import Sampling, Task

# Rules whose labels are 0 or 1.
_CONDITIONS = ("event", "at_least")


class Stage(Protocol):
    """What the labels of a chain need to know of each of its tasks."""

    @property
    def kind(self) -> TaskKind:
        """The kind of the task."""

    @property
    def label(self) -> LabelRule:
        """The rule of its label."""

    @property
    def sample_space(self) -> SampleSpace | None:
        """The exposures that it is limited to, if any."""


def conditions(tasks: Mapping[str, Task], name: str) -> list[str]:
    """Return the tasks that a task is given, the first of the chain first; none for most tasks."""
    found: list[str] = []
    given = tasks[name].given
    while given is not None and given in tasks and given not in found:
        found.insert(0, given)
        given = tasks[given].given
    return found


def joints(tasks: Mapping[str, Task]) -> dict[str, list[str]]:
    """Return the tasks whose scores make each joint probability, by output, first task first."""
    return {
        names.joint_name(name): [*conditions(tasks, name), name]
        for name, task in tasks.items()
        if task.given is not None and task.kind == "binary"
    }


def tasks_of_joints(tasks: Mapping[str, Task]) -> dict[str, Task]:
    """Return the joint probabilities as tasks to judge, by output.

    One has the metric and the tolerance of its last task, and has to be better than chance.
    """
    return {
        joint: type(last)(
            kind="binary", label=last.label, metric=last.metric, tolerance=last.tolerance
        )
        for joint, chain in joints(tasks).items()
        for last in [tasks[chain[-1]]]
    }


def labels_in_chain(stages: Sequence[Stage], exposures: ExposureColumns) -> np.ndarray:
    """Return the labels of the last task of a chain, float64 (N,).

    They are NaN outside its sample space: where the label of a task before it is not 1, or has none
    itself. Labels outside are read, too, so that no unreadable value passes.

    Args:
        stages: the tasks of the chain in order; of a task that is not given any, itself alone.
        exposures: columns of N exposures.
    """
    import numpy as np

    inside: np.ndarray | None = None
    for stage in stages:
        labels = stage.label.labels(exposures, stage.kind)
        space = stage.sample_space
        if space is not None:
            labels = np.where(exposures.events(space.event, space.equals), labels, np.nan)
        if inside is not None:
            labels = np.where(inside, labels, np.nan)
        inside = labels > 0.0
    return labels


def chain_problems(tasks: Mapping[str, Task]) -> Iterable[Problem]:
    """Yield what is wrong with the conditions of tasks."""
    before: list[str] = []
    for name, task in tasks.items():
        place = ("tasks", name, "given")
        if task.given is not None and task.given not in before:
            possible = [one for one in before if not _not_a_condition(one, tasks[one])]
            reason = (
                f"a task can be given only one that stands before it: move {task.given!r} up"
                if task.given in tasks and task.given != name
                else f"no such task before it: {closest_names(task.given, possible)}"
            )
            yield Problem(place, task.given, reason)
        elif task.given is not None and (reason := _not_a_condition(task.given, tasks[task.given])):
            yield Problem(place, task.given, reason)
        before.append(name)


def _not_a_condition(given: str, task: Task) -> str:
    """Return why no task can be given this one, or "" if one can."""
    if task.kind != "binary":
        return f"{given!r} is a {task.kind}; a condition is a binary task"
    if task.label.rule not in _CONDITIONS:
        return (
            f"the label of {given!r} is by the rule {task.label.rule!r} and may lie between 0 and "
            f"1; a condition happened or did not: give it the rule {' or '.join(_CONDITIONS)}"
        )
    return ""


def sampling_problems(sampling: Sampling, tasks: Mapping[str, Task]) -> Iterable[Problem]:
    """Yield each task whose negatives cannot be sampled."""
    binary = [name for name, task in tasks.items() if task.kind == "binary"]
    for name in sampling.negative_rates or {}:
        place = ("sampling", "negative_rates", name)
        if name not in binary:
            yield Problem(place, name, f"no such binary task: {closest_names(name, binary)}")
        elif tasks[name].given is not None:
            yield Problem(
                place,
                name,
                f"all its examples are positives of {tasks[name].given!r} and are written anyway; "
                "leave it out",
            )


def formula_problems(
    weights: Mapping[str, float],
    tasks: Collection[str],
    of_joints: Mapping[str, Sequence[str]],
) -> Iterable[Problem]:
    """Yield what is wrong with the weights of a formula.

    A name stands for nothing, or another weight counts a factor of a joint probability again.

    Args:
        weights: the weights by task or joint probability.
        tasks: the names of all tasks.
        of_joints: the tasks of each joint probability, by output.
    """
    for name in weights:
        if name not in tasks and name not in of_joints:
            yield Problem(
                ("ranking_formula", "weights", name),
                name,
                f"no such task: {closest_names(name, [*tasks, *of_joints])}",
            )
    for joint, factors in of_joints.items():
        if not weights.get(joint):
            continue
        again = [
            other
            for other, weight in weights.items()
            if weight and other != joint and set(of_joints.get(other, [other])) & set(factors)
        ]
        if again:
            whole = factored(weights, of_joints)
            yield Problem(
                ("ranking_formula", "weights", joint),
                weights[joint],
                f"{joint} is {' · '.join(factors)}, and {' and '.join(again)} would count a part "
                "of it twice: name either the product or its factors; if that is meant, give "
                + ", ".join(f"{task}: {weight:g}" for task, weight in whole.items()),
            )


def factored(
    weights: Mapping[str, float], of_joints: Mapping[str, Sequence[str]]
) -> dict[str, float]:
    """Return the weights of tasks, in which that of a joint probability is that of its factors."""
    result: dict[str, float] = {}
    for name, weight in weights.items():
        for task in of_joints.get(name, [name]):
            result[task] = result.get(task, 0.0) + weight
    return result
