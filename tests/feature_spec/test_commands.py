"""`fulcrum spec`."""

from __future__ import annotations

import typer
from typer.testing import CliRunner

from feature_spec import commands
from feature_spec.loading import ready_specs

app = typer.Typer()
commands.add_to(app)


def test_check_prints_fields_tasks_and_formula():
    result = CliRunner().invoke(app, ["spec", "check", "kuairand"], env={"COLUMNS": "200"})
    assert result.exit_code == 0
    for part in (
        "41 fields",
        "5 tasks",
        "watch_ratio",
        "all exposures",
        "ranking score = click^1 · long_view^1",
        "fingerprint",
    ):
        assert part in result.output


def test_check_prints_mistakes_and_fails(tmp_path):
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text("nam: x\n")
    result = CliRunner().invoke(app, ["spec", "check", str(wrong)])
    assert result.exit_code == 1
    assert "unknown key 'nam': did you mean 'name'?" in result.output.replace("\n", " ")


def test_list_prints_the_ready_specs():
    result = CliRunner().invoke(app, ["spec", "list"])
    assert [line.split("\t")[0] for line in result.output.splitlines()] == [
        "census_income",
        "kuairand",
        "short_video",
        "short_video_events",
    ]


def test_check_prints_what_is_watched_and_what_a_search_may_change(tmp_path):
    spec = tmp_path / "watched.yaml"
    spec.write_text(
        ready_specs()["short_video"].read_text()
        + "drift: {stops_run: true, thresholds: {region: {l_infinity: 0.1}, duration_s: {jensen_shannon: 0.05}}}\n"
        + "skew: {thresholds: {hour: {l_infinity: 0.2}}}\n"
        + "tuner: {max_trials: 7, search: {trainer.epochs: {values: [1, 2]}}}\n"
    )
    result = CliRunner().invoke(app, ["spec", "check", str(spec)], env={"COLUMNS": "200"})
    assert result.exit_code == 0, result.output
    assert (
        "drift of examples, beyond which the run stops: region l_infinity 0.1, duration_s jensen_shannon 0.05"
        in result.output
    )
    assert "skew of requests: hour l_infinity 0.2" in result.output
    assert "with --tune: at most 7 trials of trainer.epochs for smallest_mtl_gain" in result.output


def test_check_tells_the_window_of_logs_that_can_be_run_by_span(tmp_path):
    spec = tmp_path / "daily.yaml"
    text = ready_specs()["short_video"].read_text()
    told = "with --span: trained on 3 days, judged on the next one"
    for text_of_logs, is_told in ((text, True), (text.replace("{day}", "*"), False)):
        spec.write_text(text_of_logs + "spans: {window_days: 3}\n")
        assert (
            told
            in CliRunner().invoke(app, ["spec", "check", str(spec)], env={"COLUMNS": "200"}).output
        ) is is_told
