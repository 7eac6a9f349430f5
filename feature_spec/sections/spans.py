"""Training day by day: a span is a day of logs."""

from __future__ import annotations

from pydantic import PositiveInt

from feature_spec.strict_model import StrictModel


class Spans(StrictModel):
    """How `fulcrum run --span` and `fulcrum backfill` put days together.

    Attributes:
        window_days: the days of logs that a model is trained on, right before the day that judges
            it; fewer where the logs begin later.
    """

    window_days: PositiveInt = 7
