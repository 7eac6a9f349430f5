"""Ingestion knows of the spec what it depends on, and no more."""

from __future__ import annotations

import datetime

import pytest

from feature_spec.loading import load_spec, ready_specs
from pipeline.ingest.settings.ingest_config import IngestSettings


@pytest.mark.parametrize("name", sorted(ready_specs()))
def test_settings_survive_the_way_through_json(name: str) -> None:
    settings = IngestSettings.from_spec(load_spec(name))
    assert IngestSettings.model_validate_json(settings.to_json()) == settings


def test_a_default_written_out_changes_nothing(tiny) -> None:
    assert tiny.settings(logs__deduplicate=True).to_json() == tiny.settings().to_json()


@pytest.mark.parametrize(
    "changes",
    [
        {"tasks__click__tolerance": 0.3},
        {"tasks__click__loss_weight": 2.0},
        {"fields__price__transform": "quantiles"},
        {"fields__item__width": 4},
        {"fields__item__side": "context"},
        {"ranking_formula__weights": {"watch": 1.0}},
        {"model": {"name": "ple"}},
    ],
)
def test_what_ingestion_does_not_depend_on_is_not_in_the_settings(tiny, changes) -> None:
    assert tiny.settings(**changes) == tiny.settings()


def test_the_columns_of_a_source_name_their_place_in_the_spec(tiny) -> None:
    assert tiny.settings().columns_of(None) == {
        "request_id": "keys.request", "user_id": "keys.user", "item_id": "keys.item", "time_s": "keys.event_time.column",
        "clicked": "tasks.click.label.column", "play_s": "tasks.watch.label.numerator",
        "duration_s": "tasks.watch.label.denominator", "recent": "fields.recent", "price": "fields.price",
    }  # fmt: skip
    assert tiny.settings().columns_of("users") == {
        "user_id": "logs.tables.users.key", "region": "fields.region", "age": "fields.age",
    }  # fmt: skip


def test_the_settings_of_a_day_survive_the_way_through_json_and_write_no_evaluation_split() -> None:
    settings = IngestSettings.from_spec(load_spec("short_video"), datetime.date(2022, 5, 1))
    assert IngestSettings.model_validate_json(settings.to_json()) == settings
    assert settings.logs.exposures.path == ["day=2022-05-01/*.jsonl.gz"]
    assert settings.splits == ("train", "validation")


def test_without_a_day_the_place_of_the_day_is_any() -> None:
    settings = IngestSettings.from_spec(load_spec("short_video"))
    assert settings.logs.exposures.path == ["day=*/*.jsonl.gz"]
    assert "2022" not in settings.to_json()
    assert settings.splits == ("train", "validation", "evaluation")
