"""`fulcrum spec`."""

from __future__ import annotations

import pytest
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


def checked(tmp_path, text):
    file = tmp_path / "spec.yaml"
    file.write_text(text)
    return CliRunner().invoke(app, ["spec", "check", str(file)], env={"COLUMNS": "400"})


@pytest.mark.parametrize(
    ("added", "said"),
    [
        ("trainer: {epoch: 3}", "trainer: unknown key 'epoch': did you mean 'epochs'?"),
        ("trainer: {epochs: 0}", "trainer.epochs: Input should be greater than 0 (received 0)"),
        ("trainer: {learning_rate: .inf}", "trainer.learning_rate: Input should be a finite"),
        ("trainer: {learning_rate: fast}", "trainer.learning_rate: Input should be a valid number"),
        ("trainer: {seed: -1}", "trainer.seed: Input should be greater than or equal to 0"),
        ("trainer: {batch_size: 3_000_000_000}", "trainer.batch_size: Input should be less than"),
        ("model: {name: plee}", "model.name: no such model 'plee': did you mean 'ple'?"),
        ("model: {name: 3}", "model.name: no such model 3"),
        ("model: {level: 2}", "model: unknown key 'level': did you mean 'levels'?"),
        ("model: {name: mmoe, levels: 2}", "model: unknown key 'levels'"),
        ("model: {task_groups: [[ratio, click], [like]]}", "no such task 'like'"),
        ("model: {dropout_rate: .nan}", "model.dropout_rate: Input should be a finite number"),
        ("model: [ple]", "model: Input should be a mapping of keys"),
        ("tuner: {search: {trainer.epoch: {values: [1]}}}", "did you mean 'epochs'?"),
        ("tuner: {search: {trainer.epochs: {values: [0]}}}", "should be greater than 0"),
        ("tuner: {search: {}}", "tuner.search: "),
    ],
)
def test_check_tells_mistakes_in_the_settings_of_the_trainer(tmp_path, spec_text, added, said):
    result = checked(tmp_path, f"{spec_text}{added}\n")
    assert result.exit_code == 1
    assert said in result.output
    assert "spec.yaml: 1 error" in result.output


def test_check_tells_the_mistakes_of_all_sections_at_once(tmp_path, spec_text):
    text = spec_text.replace("threshold: 0.6", "threshold: 60").replace("  age:", "  101:")
    result = checked(
        tmp_path, f"{text}trainer: {{epoch: 3}}\nmodel: {{name: plee}}\nserving: {{count: 1}}\n"
    )
    assert result.exit_code == 1
    for place in ("fields.101", "tasks.click.threshold", "serving", "trainer", "model.name"):
        assert f"  {place}: " in result.output
    assert "spec.yaml: 5 errors" in result.output


def test_check_takes_numbers_of_yaml_1_2(tmp_path, spec_text):
    assert checked(tmp_path, f"{spec_text}trainer: {{learning_rate: 1e-3}}\n").exit_code == 0


def test_check_warns_of_a_field_that_reads_a_label_and_succeeds(tmp_path, spec_text):
    text = spec_text.replace(
        "item, kind: categorical}", "item, kind: categorical, column: clicked}"
    )
    result = checked(tmp_path, text)
    assert result.exit_code == 0
    told = "Warning: fields.item_id: reads the column 'clicked', which is the label of click"
    assert told in result.output


def test_list_prints_the_ready_specs():
    result = CliRunner().invoke(app, ["spec", "list"])
    assert [line.split("\t")[0] for line in result.output.splitlines()] == [
        "census_income",
        "kuairand",
        "kuairand_static",
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
