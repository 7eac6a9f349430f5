"""The section `calibration` of a spec: scores as probabilities, and how far off they may be."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Literal, Self

import pydantic
from pydantic import PositiveFloat, model_validator

from feature_spec.fields.field import Field
from feature_spec.strict_model import Problem, StrictModel, Text, closest_names
from feature_spec.tasks.grouping import grouping_problems
from feature_spec.tasks.task import Task

CalibrationMethod = Literal["platt", "isotonic"]


class Calibration(StrictModel):
    """How scores of binary tasks are calibrated in the export, and what the Evaluator asks of them.

    A calibration is a rising function of the logit, after the undoing of the sampling. The trainer
    fits it to the validation examples at the end of a training.

    Attributes:
        method: one method for all binary tasks: `platt`, a line; or `isotonic`, straight between up
            to 64 knots.
        methods: methods by binary task; a task that is not named is not calibrated. Excludes
            `method`.
        by: a field of one value, for each of whose values a shift is added to the logit.
        shrinkage: κ, the number of positives (or negatives, if these are rarer) from which a
            value's shift counts about one half of what its own examples say.
        within: the least and the largest predicted over observed, the sum of scores over the sum of
            labels, that a binary task may have on the evaluation split and on each protected slice;
            beyond noise, another one refuses the model.
    """

    method: CalibrationMethod | None = None
    methods: Annotated[dict[str, CalibrationMethod], pydantic.Field(min_length=1)] | None = None
    by: Text | None = None
    shrinkage: PositiveFloat = 25.0
    within: Annotated[list[PositiveFloat], pydantic.Field(min_length=2, max_length=2)] | None = None

    @model_validator(mode="after")
    def _has_an_effect(self) -> Self:
        if self.method is not None and self.methods is not None:
            raise ValueError("has both 'method' and 'methods'; give one of them")
        if self.method is None and self.methods is None:
            if self.by is not None or "shrinkage" in self.model_fields_set:
                raise ValueError("'by' and 'shrinkage' need 'method' or 'methods'")
            if self.within is None:
                raise ValueError("needs 'method', 'methods' or 'within'")
        if "shrinkage" in self.model_fields_set and self.by is None:
            raise ValueError("'shrinkage' needs 'by'")
        if self.within is not None and not self.within[0] <= 1.0 <= self.within[1]:
            raise ValueError(
                f"'within' must hold 1, where scores are right, such as [0.95, 1.05]; received "
                f"{self.within}"
            )
        return self

    def of_tasks(self, kinds: Mapping[str, str]) -> dict[str, CalibrationMethod]:
        """Return the method of each task that is calibrated.

        Args:
            kinds: the kind of every task, by name.
        """
        if self.method is None:
            return dict(self.methods or {})
        return {task: self.method for task, kind in kinds.items() if kind == "binary"}


def calibration_problems(
    calibration: Calibration, tasks: Mapping[str, Task], fields: Mapping[str, Field]
) -> Iterable[Problem]:
    """Yield what a calibration says of tasks and fields and that is not so."""
    binary = [name for name, task in tasks.items() if task.kind == "binary"]
    for name in calibration.methods or {}:
        if name not in binary:
            yield Problem(
                ("calibration", "methods", name),
                name,
                "only binary tasks have probabilities to calibrate, and a regression's mean is "
                f"fitted by its squared error; valid: {', '.join(binary) or 'none'}"
                if name in tasks
                else f"no such binary task: {closest_names(name, binary)}",
            )
    if not binary:
        yield Problem(
            ("calibration",),
            calibration.method,
            "needs a binary task; the numbers of regressions are not calibrated",
        )
    if calibration.by is not None:
        yield from grouping_problems(("calibration", "by"), calibration.by, fields)
