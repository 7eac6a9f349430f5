"""Which days train and which one judges."""

from __future__ import annotations

import datetime
import json
from pathlib import Path

import pytest

from feature_spec.loading import parse_spec
from feature_spec.spec import FeatureSpec
from pipeline.commands.spec_overrides import load_overridden_spec
from pipeline.run.backfill import backfill_windows
from pipeline.spans.span_window import span_window, warm_up_days


def day(number: int) -> datetime.date:
    return datetime.date(2022, 5, number)


def spec(*overrides: str, name: str = "short_video") -> FeatureSpec:
    return load_overridden_spec(name, ["spans.window_days=3", *overrides])


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    """Logs of 1 to 6 May and, after a gap, 8 May."""
    for number in (1, 2, 3, 4, 5, 6, 8):
        folder = tmp_path / f"day={day(number)}"
        folder.mkdir()
        (folder / "part-00000.jsonl.gz").touch()
    return tmp_path


def test_the_window_ends_the_day_before_the_one_that_judges(logs: Path) -> None:
    window = span_window(spec(), str(logs), day(6))
    assert window.training_days == [day(3), day(4), day(5)]
    assert window.evaluation_day == day(6)
    assert window.text == "trained on 2022-05-03 to 2022-05-05 (3 days), judged on 2022-05-06"


def test_a_window_may_begin_before_the_logs_do(logs: Path) -> None:
    assert span_window(spec(), str(logs), day(2)).training_days == [day(1)]
    assert span_window(spec(), str(logs), day(3)).training_days == [day(1), day(2)]


def test_a_day_that_is_missing_in_the_middle_is_an_error(logs: Path) -> None:
    (logs / f"day={day(9)}").mkdir()
    (logs / f"day={day(9)}" / "part-00000.jsonl.gz").touch()
    with pytest.raises(
        ValueError, match=r"no logs of 2022-05-07 in .*, within the window 2022-05-06 to 2022-05-08"
    ):
        span_window(spec(), str(logs), day(9))


def test_the_day_that_judges_needs_logs(logs: Path) -> None:
    with pytest.raises(
        ValueError,
        match=r"no logs of 2022-05-07, which is to judge the model: day=2022-05-07/\*\.jsonl\.gz",
    ):
        span_window(spec(), str(logs), day(7))


def test_the_first_day_of_the_logs_has_nothing_to_train_on(logs: Path) -> None:
    with pytest.raises(ValueError, match="no logs of any day of 2022-04-28 to 2022-04-30"):
        span_window(spec(), str(logs), day(1))


def test_paths_without_a_place_for_the_day_are_refused(logs: Path) -> None:
    with pytest.raises(
        ValueError, match=r"logs\.exposures\.path: 'day=\*/\*' has no place for the day"
    ):
        span_window(spec("logs.exposures.path='day=*/*'"), str(logs), day(6))


def test_validation_examples_of_the_day_that_judges_are_refused(logs: Path) -> None:
    with pytest.raises(
        ValueError, match=r"split\.validation_of: 'evaluation' does not go with a run by span"
    ):
        span_window(spec("split.validation_of=evaluation"), str(logs), day(6))


def test_sampled_examples_are_refused_because_they_would_judge_as_well(logs: Path) -> None:
    with pytest.raises(ValueError, match="sampling: does not go with a run by span"):
        span_window(spec("sampling.negative_rate=0.5"), str(logs), day(6))


def test_an_attribution_window_of_more_than_a_month_is_refused(logs: Path) -> None:
    # 40 days.
    with pytest.raises(
        ValueError,
        match=r"logs\.actions\.window_s: .* up to 31 days, received 3,456,000 s \(40\.0 days\)",
    ):
        span_window(
            spec("logs.actions.window_s=3456000", name="short_video_events"), str(logs), day(6)
        )


def test_a_series_has_a_window_a_day(logs: Path) -> None:
    windows = backfill_windows(spec(), str(logs), day(2), day(4))
    assert [window.evaluation_day for window in windows] == [day(2), day(3), day(4)]
    assert [len(window.training_days) for window in windows] == [1, 2, 3]


def test_a_series_the_wrong_way_round_is_refused(logs: Path) -> None:
    with pytest.raises(ValueError, match="--from 2022-05-04 is later than --to 2022-05-02"):
        backfill_windows(spec(), str(logs), day(4), day(2))


def test_a_table_with_a_place_for_the_day_has_every_day_of_the_window(tmp_path: Path) -> None:
    of_a_day = spec("logs.exposures={bigquery: {table: 'acme.logs.shown_{day:%Y%m%d}'}}")
    assert span_window(of_a_day, str(tmp_path), day(2)).training_days == [
        datetime.date(2022, 4, 29),
        datetime.date(2022, 4, 30),
        day(1),
    ]


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("{bigquery: {table: acme.logs.shown}}", "logs.exposures: bigquery:acme.logs.shown is not told apart by days.*give a place for the day"),
        ("{kafka: {bootstrap_servers: 'k:9092', topics: shown, max_num_records: 1}, format: jsonl}", "kafka:shown is not told apart by days.*'by_day: true'"),
    ],
)  # fmt: skip
def test_a_table_or_topic_that_is_not_told_apart_by_days_is_refused(
    tmp_path: Path, source: str, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        span_window(spec(f"logs.exposures={source}"), str(tmp_path), day(6))


def test_the_days_before_a_window_warm_up_histories_as_far_as_there_are_logs(logs: Path) -> None:
    of = with_histories(warm_up_days=2)
    assert warm_up_days(of, str(logs), span_window(of, str(logs), day(6))) == [day(1), day(2)]
    assert warm_up_days(of, str(logs), span_window(of, str(logs), day(5))) == [day(1)]
    assert warm_up_days(of, str(logs), span_window(of, str(logs), day(2))) == []
    without = with_histories(warm_up_days=0)
    assert warm_up_days(without, str(logs), span_window(of, str(logs), day(6))) == []


def with_histories(**settings: int) -> FeatureSpec:
    content = spec().model_dump(mode="json", exclude_unset=True)
    content["histories"] = {
        "known_after_s": 600, "counts": {"user": {"by": ["user_id"]}}, **settings,
    }  # fmt: skip
    content["fields"] = {
        name: field for name, field in content["fields"].items() if "history" not in field
    }
    return parse_spec(json.dumps(content))
