"""A version appears whole or not at all, and never twice."""

from __future__ import annotations

import json
import os
import shutil
import time
from pathlib import Path

import pytest

from pipeline.push import atomic_publish
from pipeline.push.atomic_publish import newest_version, publish, versions


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    (folder / "variables").mkdir(parents=True)
    (folder / "saved_model.pb").write_bytes(b"graph")
    (folder / "variables" / "variables.index").write_bytes(b"index")
    return folder


def test_a_published_version_holds_the_models_files(model: Path, tmp_path: Path) -> None:
    version = publish(model, tmp_path / "serving")
    assert (
        tmp_path / "serving" / str(version) / "variables" / "variables.index"
    ).read_bytes() == b"index"


def test_versions_are_times_in_seconds(model: Path, tmp_path: Path) -> None:
    before = int(time.time())
    assert before <= publish(model, tmp_path / "serving") <= time.time()


def test_a_model_published_in_the_same_second_gets_the_next_version(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(atomic_publish.time, "time", lambda: 1000.9)
    assert publish(model, tmp_path / "serving") == 1000
    (model / "saved_model.pb").write_bytes(b"other graph")
    assert publish(model, tmp_path / "serving") == 1001


def test_a_clock_that_goes_back_does_not_make_an_older_version(model: Path, tmp_path: Path) -> None:
    future = int(time.time()) + 10_000
    (tmp_path / "serving" / str(future)).mkdir(parents=True)
    assert publish(model, tmp_path / "serving") == future + 1


def test_the_newest_version_is_not_published_again(model: Path, tmp_path: Path) -> None:
    first = publish(model, tmp_path / "serving")
    assert publish(model, tmp_path / "serving") == first
    assert os.listdir(tmp_path / "serving") == [str(first)]


def test_a_model_that_was_replaced_by_another_is_published_again(
    model: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    shutil.copytree(model, other)
    (other / "saved_model.pb").write_bytes(b"GRAPH")  # of the same size
    versions = [
        publish(model, tmp_path / "serving"),
        publish(other, tmp_path / "serving"),
        publish(model, tmp_path / "serving"),
    ]
    assert versions == sorted(set(versions))
    assert newest_version(tmp_path / "serving") == versions[-1]


def test_nothing_with_a_number_for_a_name_exists_before_the_copy_is_complete(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(source: str, target: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(atomic_publish.os, "rename", interrupted)
    with pytest.raises(KeyboardInterrupt):
        publish(model, tmp_path / "serving")
    assert newest_version(tmp_path / "serving") is None
    [leftover] = os.listdir(tmp_path / "serving")
    assert leftover.startswith(".")


def test_the_leftover_of_a_killed_run_is_removed(model: Path, tmp_path: Path) -> None:
    leftover = tmp_path / "serving" / ".123.unfinished"
    leftover.mkdir(parents=True)
    version = publish(model, tmp_path / "serving")
    assert os.listdir(tmp_path / "serving") == [str(version)]


def test_there_is_no_newest_version_in_a_folder_that_does_not_exist(tmp_path: Path) -> None:
    assert newest_version(tmp_path / "nowhere") is None


def judged_on(model: Path, day: str) -> Path:
    """The model, as trained by span and judged on the day."""
    span = model / "assets.extra" / "span.json"
    span.parent.mkdir(exist_ok=True)
    span.write_text(
        json.dumps({"training_days": ["2022-05-01"], "evaluation_day": day}), encoding="utf-8"
    )
    return model


def test_a_model_of_a_later_day_becomes_the_newest_version(model: Path, tmp_path: Path) -> None:
    first = publish(judged_on(model, "2022-05-02"), tmp_path / "serving")
    second = publish(judged_on(model, "2022-05-03"), tmp_path / "serving")
    assert versions(tmp_path / "serving") == [second, first]


def test_a_model_of_an_earlier_day_does_not_take_the_place_of_a_later_one(
    model: Path, tmp_path: Path
) -> None:
    publish(judged_on(model, "2022-05-03"), tmp_path / "serving")
    assert publish(judged_on(model, "2022-05-02"), tmp_path / "serving") is None
    assert len(versions(tmp_path / "serving")) == 1


def test_a_model_of_an_earlier_day_that_was_published_then_is_that_version(
    model: Path, tmp_path: Path
) -> None:
    first = publish(judged_on(model, "2022-05-02"), tmp_path / "serving")
    publish(judged_on(model, "2022-05-03"), tmp_path / "serving")
    assert publish(judged_on(model, "2022-05-02"), tmp_path / "serving") == first
    assert len(versions(tmp_path / "serving")) == 2


def test_a_model_without_a_span_takes_the_place_of_any(model: Path, tmp_path: Path) -> None:
    first = publish(judged_on(model, "2022-05-02"), tmp_path / "serving")
    (model / "assets.extra" / "span.json").unlink()
    assert publish(model, tmp_path / "serving") > first


def test_a_version_holds_the_state_of_histories_and_a_newer_state_is_published(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = tmp_path / "state"
    (state / "counts").mkdir(parents=True)
    (state / "counts" / "user.parquet").write_bytes(b"first")
    monkeypatch.setattr(atomic_publish.time, "time", lambda: 1000.0)
    extras = {"assets.extra/histories": state}
    assert publish(model, tmp_path / "serving", extras) == 1000
    stored = tmp_path / "serving" / "1000" / "assets.extra" / "histories" / "counts"
    assert (stored / "user.parquet").read_bytes() == b"first"
    assert publish(model, tmp_path / "serving", extras) == 1000
    (state / "counts" / "user.parquet").write_bytes(b"later")
    assert publish(model, tmp_path / "serving", extras) == 1001
