"""`fulcrum histories`: what each command prints, and how it fails."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from feature_spec.loading import parse_spec
from fulcrum.cli import app
from tests.serving.histories.reference import SPEC, random_exposures, write_state

LINES = random_exposures(7, number=60)


@pytest.fixture(scope="module")
def spec():
    return parse_spec(SPEC)


@pytest.fixture
def run(tmp_path):
    spec = tmp_path / "spec.yaml"
    spec.write_text(SPEC)

    def invoke(command, *words):
        arguments = ["histories", command, "--spec", str(spec)]
        if command != "replay":
            arguments += ["--store", str(tmp_path / "store")]
        return CliRunner().invoke(app, [*arguments, *map(str, words)])

    return invoke


@pytest.fixture
def logs(tmp_path):
    """A folder with the log as lines, whose authors are in a side table."""
    folder = tmp_path / "logs"
    folder.mkdir()
    lines = [{name: value for name, value in line.items() if name != "author"} for line in LINES]
    (folder / "day.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    videos = {line["video"]: line["author"] for line in LINES}
    rows = [{"video": video, "author_id": author} for video, author in videos.items()]
    (folder / "videos.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def test_record_counts_every_line_once_and_explains_what_it_rejects(run, logs):
    with (logs / "day.jsonl").open("a") as file:
        file.write("\nnot JSON\n" + json.dumps({"user": "u1"}) + "\n")
    done = run("record", "--events", logs / "day.jsonl", "--logs", logs, "--json")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout) == {
        "in": 63,
        "recorded": 60,
        "repeated": 0,
        "rejected": {"empty_line": 1, "malformed": 1, "missing_key": 1},
    }
    again = run("record", "--events", logs / "day.jsonl", "--logs", logs, "--compact")
    assert "63 events in = 0 recorded + 60 repeated + 3 rejected" in again.stdout
    assert "rejected, missing_key: 1" in again.stderr


def test_inspect_shows_the_histories_whose_keys_are_given(run, logs):
    run("record", "--events", logs / "day.jsonl", "--logs", logs)
    at = "2023-11-20T00:00:00"
    words = ("--field", "user_id=u1", "--field", "author_id=a1", "--at", at)
    found = json.loads(run("inspect", *words, "--json").stdout)
    own = [line for line in LINES if line["user"] == "u1"]
    clicked = [line for line in own if line["is_click"]]
    counts = {count["name"]: count for count in found["counts"]}
    assert set(counts) == {"user", "user_author"}
    assert counts["user"]["shown"] == len(own)
    assert counts["user"]["rates"]["click"] == len(clicked) / len(own)
    assert [sequence["name"] for sequence in found["sequences"]] == ["clicked"]
    assert found["sequences"][0]["entries"][0]["video_id"] == clicked[-1]["video"]
    assert found["newest_us"] == LINES[-1]["time_ms"] * 1000
    table = run("inspect", *words).stdout
    assert "user_id u1" in table
    assert "newest event: 2023-11" in table


def test_publish_fills_a_store_and_tells_what_it_holds(run, spec, tmp_path):
    write_state(
        tmp_path / "run" / "serving_model" / "3" / "assets.extra" / "histories", spec, LINES
    )
    done = run("publish", "--state", tmp_path / "run", "--json")
    assert done.exit_code == 0, done.output
    printed = json.loads(done.stdout)
    assert (printed["exposures"], printed["later_events"]) == (60, 0)
    assert printed["until"].startswith("2023-11-")
    found = json.loads(run("inspect", "--field", "user_id=u1", "--json").stdout)
    assert found["exposures"] == 60


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("inspect", "--field", "user"), "give a field and its value"),
        (("inspect", "--at", "noon"), "give a time such as"),
        (("publish", "--state", "."), "no state of histories"),
        (("record", "--events", "nothing.jsonl"), "nothing.jsonl: cannot be read"),
    ],
)
def test_what_is_wrong_is_told_and_exits_with_1(run, words, text):
    done = run(*words)
    assert done.exit_code == 1
    assert text in done.stderr


def test_an_unknown_field_is_told_with_the_valid_ones(run, logs):
    run("record", "--events", logs / "day.jsonl", "--logs", logs)
    done = run("inspect", "--field", "usr=u1")
    assert (done.exit_code, "the spec has user_id, hour, video_id" in done.stderr) == (1, True)


def test_record_leaves_out_the_lines_that_where_leaves_out_and_counts_them(run, logs, tmp_path):
    """Ingestion does so too, hence a store fed with one file of all events agrees with it."""
    text = (tmp_path / "spec.yaml").read_text()
    where = text.replace("exposures: {", "exposures: {where: {is_click: [1, true]}, ", 1)
    assert where != text
    (tmp_path / "spec.yaml").write_text(where)
    clicked = sum(bool(line["is_click"]) for line in LINES)
    done = run("record", "--events", logs / "day.jsonl", "--logs", logs)
    assert (
        f"60 events in = {clicked} recorded + 0 repeated + 0 rejected + {60 - clicked} left out by "
        "'where'"
    ) in done.stdout
