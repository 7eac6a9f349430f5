"""What the section `evaluation` names, checked against the rest of the spec."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from feature_spec.fields.field import CategoricalField, Field, NumericField
from feature_spec.logs.logs import Keys
from feature_spec.sections import Evaluation, sides_of_lists
from feature_spec.strict_model import Problem, closest_names
from feature_spec.tasks.task import Task


def evaluation_problems(
    evaluation: Evaluation, keys: Keys, fields: Mapping[str, Field], tasks: Mapping[str, Task]
) -> Iterable[Problem]:
    """Yield what the section `evaluation`, and metrics of lists, name but the spec lacks."""
    ndcg = evaluation.ndcg
    if ndcg is not None:
        if getattr(keys, ndcg.by) is None:
            yield Problem(
                ("evaluation", "ndcg", "by"),
                ndcg.by,
                f"needs 'keys.{ndcg.by}' to tell whose examples are ranked together",
            )
        for task in ndcg.relevance:
            if task not in tasks:
                yield Problem(
                    ("evaluation", "ndcg", "relevance", task),
                    task,
                    f"no such task: {closest_names(task, tasks)}",
                )
    yield from _gauc_problems(evaluation, keys, fields, tasks)
    seen = set()
    for position, part in enumerate(evaluation.slices):
        kind = NumericField if part.boundaries else CategoricalField
        valid = [name for name, field in fields.items() if isinstance(field, kind)]
        place = ("evaluation", "slices", position, "field")
        if part.field in seen:
            yield Problem(place, part.field, "has slices already; each field may be named once")
        elif part.field not in valid:
            with_or_without = (
                "numeric field (with 'boundaries')"
                if part.boundaries
                else "categorical field (no 'boundaries')"
            )
            yield Problem(
                place,
                part.field,
                f"no such {with_or_without}: {closest_names(part.field, valid)}",
            )
        seen.add(part.field)


def _gauc_problems(
    evaluation: Evaluation, keys: Keys, fields: Mapping[str, Field], tasks: Mapping[str, Task]
) -> Iterable[Problem]:
    by = evaluation.gauc_by
    judged = [name for name, task in tasks.items() if task.metric == "gauc"]
    if getattr(keys, by) is None:
        other = " (or 'evaluation.gauc_by: request')" if by == "user" else ""
        for name in judged:
            yield Problem(
                ("tasks", name, "metric"),
                "gauc",
                f"needs 'keys.{by}' to tell whose examples are compared{other}",
            )
        if by == "request":
            yield Problem(
                ("evaluation", "gauc_by"),
                by,
                "needs 'keys.request' to tell whose examples are compared",
            )
    kept_whole = sides_of_lists(by)
    for position, part in enumerate(evaluation.slices):
        field = fields.get(part.field)
        if judged and part.protected and field is not None and field.side not in kept_whole:
            yield Problem(
                ("evaluation", "slices", position, "protected"),
                True,
                f"{', '.join(judged)}: gauc is not measured on slices by a field of the "
                f"{field.side}, which divide the examples of a {by}; choose a field of the "
                f"{' or the '.join(kept_whole)}, or another metric",
            )
