"""The calibration of an export: the trainer writes it, the report and `fulcrum inspect` read it."""

from __future__ import annotations

import pydantic

CALIBRATION_FILE = "assets.extra/calibration.json"


class _Part(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(frozen=True)


class CalibrationCurve(_Part):
    """Logits to calibrated logits: straight between knots, and beyond them.

    Attributes:
        logits: the knots, ascending, (M,); one at least.
        calibrated: the calibrated logits at the knots, ascending, (M,).
        slope: the slope below the first knot and above the last.
    """

    logits: list[float]
    calibrated: list[float]
    slope: float

    @property
    def slopes(self) -> list[float]:
        """The slopes below the first knot, between knots and above the last, (M + 1,)."""
        between = [
            (self.calibrated[place + 1] - self.calibrated[place])
            / (self.logits[place + 1] - self.logits[place])
            for place in range(len(self.logits) - 1)
        ]
        return [self.slope, *between, self.slope]


class SliceShift(_Part):
    """The shift of one value of the field that the section's `by` names.

    Attributes:
        row: the value's row in the embedding table of the field's width.
        value: the value's text; `missing` and `other` where it has none of its own.
        examples: the validation examples with the value, in the task's sample space.
        positives: the sum of their labels.
        shift: what is added to the calibrated logit.
    """

    row: int
    value: str
    examples: int
    positives: float
    shift: float


class ScoreBucket(_Part):
    """Examples with neighbouring scores: their number, and the means of scores and of labels."""

    examples: float
    mean_score: float
    mean_label: float


class Agreement(_Part):
    """How scores agree with labels.

    Attributes:
        predicted_over_observed: the sum of scores over the sum of labels.
        log_loss: the mean cross-entropy.
        buckets: tenths of the examples, by ascending score.
    """

    predicted_over_observed: float
    log_loss: float
    buckets: list[ScoreBucket]


class TaskCalibration(_Part):
    """The calibration of one task.

    Attributes:
        task: the name of the task.
        method: the method that the spec asks for.
        examples: the validation examples in the task's sample space.
        positives: the sum of their labels.
        not_fitted: the reason why scores stay as they are, such as ``too few to tell (3
            positives)``; "" if they are calibrated.
        curve: what becomes of a logit, before the shift of its slice.
        shifts: the shifts by value of the field `by`, by row; empty without one.
        before: the agreement before the calibration, on the validation examples; None if none was
            fitted.
        after: the agreement after it. Each half of the examples is scored by what the other half
            fits, so that it says what new examples will show.
    """

    task: str
    method: str
    examples: int
    positives: float
    not_fitted: str = ""
    curve: CalibrationCurve | None = None
    shifts: list[SliceShift] = []
    before: Agreement | None = None
    after: Agreement | None = None


class CalibrationReport(_Part):
    """The calibrations of an export.

    Attributes:
        by: the field whose values have shifts; "" without one.
        shrinkage: κ of these shifts.
        tasks: the calibrations of the tasks that the spec wants calibrated, in its order.
    """

    by: str
    shrinkage: float
    tasks: list[TaskCalibration]
