"""Warnings about a valid spec: what it says is possible, and hardly what anyone wants."""

from __future__ import annotations

from collections.abc import Iterable

from feature_spec.fields.field import time_part
from feature_spec.histories.history_fields import sequence_columns
from feature_spec.spec import FeatureSpec
from feature_spec.tasks.label_rule import RatioRule

# Beyond so many values, the lists of one sequence are most of an example.
_MANY_VALUES = 1_000
# Settings that only one method of `trainer.balancing` reads.
_OF_BALANCING = {
    "dwa_temperature": "dwa",
    "famo_decay": "famo",
    "gradnorm_alpha": "gradnorm",
    "stch_smoothness": "stch",
}


def spec_warnings(spec: FeatureSpec) -> list[str]:
    """Return a sentence for each thing in a spec that one should look at, with its place."""
    return [*_leaks(spec), *_idle_parts(spec), *_idle_settings(spec), *_histories(spec)]


def _leaks(spec: FeatureSpec) -> Iterable[str]:
    """Warn of fields that read what is known only after the candidate was shown.

    The denominator of a ratio, such as the length of a video, is known before.
    """
    tasks_of: dict[str, list[str]] = {}
    for name, task in spec.tasks.items():
        label = task.label
        columns = [label.numerator] if isinstance(label, RatioRule) else label.columns.values()
        for column in columns:
            tasks_of.setdefault(column, []).append(name)
    folds = spec.logs.actions.folds if spec.logs.actions is not None else {}
    for name, field in spec.fields.items():
        column = field.column or name
        if field.table is not None or field.history is not None or time_part(field) is not None:
            continue
        if column in tasks_of:
            source = f"the label of {' and '.join(tasks_of[column])}"
        elif column in folds:
            source = "made of actions after the impression"
        else:
            continue
        yield (
            f"fields.{name}: reads the column {column!r}, which is {source}: offline the model "
            "reads the answer, and a request does not have it; read another column, or leave the "
            "field out"
        )


def _idle_parts(spec: FeatureSpec) -> Iterable[str]:
    formula = spec.ranking_formula
    if not any(formula.weights.values()) and (
        formula.duration is None or not formula.duration.weight
    ):
        yield "ranking_formula: no weight is other than 0, so that all candidates rank alike"
    if not any(task.loss_weight for task in spec.tasks.values()):
        yield "tasks: every loss_weight is 0, so that no task is learnt"


def _idle_settings(spec: FeatureSpec) -> Iterable[str]:
    """Warn of settings of `trainer` and `model` that nothing reads as others are."""
    searched = set(spec.tuner.search) if spec.tuner is not None else set()
    balancing = spec.trainer.get("balancing", "none")
    for name, method in _OF_BALANCING.items():
        if name in spec.trainer and balancing != method and "trainer.balancing" not in searched:
            yield (
                f"trainer.{name}: only balancing {method!r} reads it, and trainer.balancing is "
                f"{balancing!r}; set it to {method!r}, or leave '{name}' out"
            )
    model = spec.model
    crossed = model.get("cross_layers") or "model.cross_layers" in searched
    if "cross_rank" in model and not crossed:
        yield "model.cross_rank: nothing reads it while model.cross_layers is 0"
    if "masks" in model and model.get("field_sparsity") is False:
        yield "model.masks: nothing reads it while model.field_sparsity is false"


def _histories(spec: FeatureSpec) -> Iterable[str]:
    histories = spec.histories
    if histories is None:
        return
    if histories.known_after_s == 0:
        yield (
            "histories.known_after_s: 0 counts feedback from the moment of the exposure, before "
            "any store can know it: offline the model reads what a request does not have; give the "
            "seconds that feedback takes to reach the store that serves it"
        )
    for name, sequence in histories.sequences.items():
        lists = len(sequence_columns(name, sequence))
        if lists * sequence.max_length > _MANY_VALUES:
            yield (
                f"histories.sequences.{name}: up to {sequence.max_length:,} × {lists} lists = "
                f"{lists * sequence.max_length:,} values in each example and request, which are "
                "slow to read and to attend to; lower 'max_length', or name fewer 'fields'"
            )
    days = spec.spans.window_days
    if spec.logs.shown.has_day and histories.warm_up_days >= days > 0:
        yield (
            f"histories.warm_up_days: {histories.warm_up_days} days are no shorter than "
            f"spans.window_days ({days}): a log of so few days trains on nothing"
        )
