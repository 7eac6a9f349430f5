"""The days that a run by span trains on, the day that judges it, and their numbers."""

from __future__ import annotations

import datetime

from feature_spec.logs.day_pattern import has_day
from feature_spec.spec import FeatureSpec
from feature_spec.strict_model import StrictModel
from pipeline.ingest.sources.files import any_file

_FIRST_DAY = datetime.date(1970, 1, 1)


def span_number(day: datetime.date) -> int:
    """Return the number of days since 1970-01-01."""
    return (day - _FIRST_DAY).days


def day_of_span(number: int) -> datetime.date:
    """Return the day whose `span_number` is `number`."""
    return _FIRST_DAY + datetime.timedelta(days=number)


# The ingestion of a day reads this many days before it and after it.
_LONGEST_ATTRIBUTION_DAYS = 31


class SpanWindow(StrictModel):
    """The days of a run by span.

    Attributes:
        training_days: ascending days, without a gap, up to the day before `evaluation_day`.
        evaluation_day: the day that judges the model.
    """

    training_days: list[datetime.date]
    evaluation_day: datetime.date

    @property
    def text(self) -> str:
        """The window in words.

        For example "trained on 2022-05-01 to 2022-05-07 (7 days), judged on 2022-05-08".
        """
        first, last, count = self.training_days[0], self.training_days[-1], len(self.training_days)
        days = f"{first} to {last} ({count} days)" if count > 1 else f"{first} (1 day)"
        return f"trained on {days}, judged on {self.evaluation_day}"


def span_window(spec: FeatureSpec, logs: str, day: datetime.date) -> SpanWindow:
    """Return the days with logs in the window that ends before `day`, and `day` itself.

    A window may begin before the logs do. A day that is missing after one that is there is an
    error: a model would be trained without it and nobody would know.

    Args:
        spec: the feature spec, which says where the logs lie and how long the window is.
        logs: the folder that the spec's log paths are relative to.
        day: the day that judges the model.

    Raises:
        ValueError: the spec does not tell days apart, or a day has no logs.
    """
    _check_days_can_be_told_apart(spec)
    paths = " and ".join(spec.logs.shown.of_day(day).path)
    if not _has_logs(spec, logs, day):
        raise ValueError(
            f"no logs of {day}, which is to judge the model: {paths} matches no file in {logs}"
        )
    window = [
        day - datetime.timedelta(days=before) for before in range(spec.spans.window_days, 0, -1)
    ]
    there = [_has_logs(spec, logs, day) for day in window]
    days_text = (
        f"{window[0]} to {window[-1]}, the spans.window_days ({spec.spans.window_days}) before "
        f"{day}"
    )
    if not any(there):
        raise ValueError(
            f"no logs of any day of {days_text}: there is nothing to train on in {logs}"
        )
    training = window[there.index(True) :]
    missing = [
        str(day)
        for day, is_there in zip(window, there, strict=True)
        if day in training and not is_there
    ]
    if missing:
        raise ValueError(
            f"no logs of {', '.join(missing)} in {logs}, within the window {days_text}"
        )
    return SpanWindow(training_days=training, evaluation_day=day)


def warm_up_days(spec: FeatureSpec, logs: str, window: SpanWindow) -> list[datetime.date]:
    """Return the days with logs right before a window that warm up its histories, ascending.

    They are at most `histories.warm_up_days`. Later windows find the state that the days before
    them left, and reuse these days as they are.
    """
    wanted = spec.histories.warm_up_days if spec.histories is not None else 0
    days: list[datetime.date] = []
    first = window.training_days[0]
    for before in range(1, wanted + 1):
        day = first - datetime.timedelta(days=before)
        if spec.logs.shown.connector is not None or not _has_logs(spec, logs, day):
            break
        days.insert(0, day)
    return days


def _has_logs(spec: FeatureSpec, logs: str, day: datetime.date) -> bool:
    # A table or topic is asked when it is read; a day without a record fails then.
    return spec.logs.shown.connector is not None or any_file(logs, spec.logs.shown.of_day(day).path)


def _check_days_can_be_told_apart(spec: FeatureSpec) -> None:
    place = "logs.exposures" if spec.logs.exposures is not None else "logs.impressions"
    shown = spec.logs.shown
    if shown.connector is not None and not shown.has_day:
        wanted = (
            "'by_day: true'"
            if shown.kafka is not None
            else "a place for the day, such as 'exposures_{day:%Y%m%d}'"
        )
        raise ValueError(
            f"{place}: {shown.text} is not told apart by days, which a run by span needs; give "
            f"{wanted}"
        )
    for pattern in shown.path:
        if not has_day(pattern):
            raise ValueError(
                f"{place}.path: {pattern!r} has no place for the day, which a run by span needs, "
                "such as 'day={day}/*.jsonl.gz' or '{day:%Y/%m/%d}/*.parquet'"
            )
    actions = spec.logs.actions
    if actions is not None and actions.window_s > _LONGEST_ATTRIBUTION_DAYS * 86_400:
        raise ValueError(
            "logs.actions.window_s: in a run by span an impression has actions of up to "
            f"{_LONGEST_ATTRIBUTION_DAYS} days, received {actions.window_s:,.0f} s "
            f"({actions.window_s / 86_400:,.1f} days)"
        )
    if spec.split.validation_of == "evaluation":
        raise ValueError(
            "split.validation_of: 'evaluation' does not go with a run by span, in which a day "
            "that judges one model trains the next; set it to 'train'"
        )
    if spec.sampling is not None:
        raise ValueError(
            "sampling: does not go with a run by span: only examples that train are sampled, "
            "and a day that judges one model trains the next; leave the section out"
        )
