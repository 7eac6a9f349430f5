"""`fulcrum rank` and `fulcrum serve`, as typed."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import urllib.request

import pytest
import typer
from typer.testing import CliRunner

from serving import tf_serving_api
from serving.commands import add_to

APP = typer.Typer()
add_to(APP)

REQUEST = {
    "spec": "spec.yaml",
    "user": {"user_id": "fan"},
    "candidates": [
        {"video_id": "v1", "quality": 0.5},
        {"id": "mine", "quality": 0.9, "duration_s": 10},
    ],
}


def records(file):
    import tensorflow as tf

    return [
        tf_serving_api.PredictionLog.FromString(record.numpy())
        for record in tf.data.TFRecordDataset(str(file))
    ]


@pytest.fixture
def rank(tmp_path, toy_spec_text):
    """Runs `fulcrum rank` on a request file beside the toy spec; options are added."""
    (tmp_path / "spec.yaml").write_text(toy_spec_text)

    def run(*options, content=REQUEST):
        path = tmp_path / "request.json"
        path.write_text(json.dumps(content))
        return CliRunner(env={"COLUMNS": "200"}).invoke(
            APP, ["rank", "--request", str(path), *map(str, options)]
        )

    return run


@pytest.fixture
def target(serve, push):
    push(1)
    return serve().target


@pytest.mark.tensorflow
def test_rank_prints_the_ranked_candidates_with_their_scores(rank, target):
    result = rank("--target", target, "--timeout-ms", 600_000)
    assert result.exit_code == 0, result.output
    rows = [line.split() for line in result.output.replace("│", " ").splitlines()]
    assert "toy, version 1" in result.output
    # mine: 0.9 · 0.25^0.5 · log1p(10 / 10)^2 = 0.45 · 0.480453; v1: 0.5 · 0.25^0.5
    assert ["1", "v1", "0.5000", "0.2500", "0.2500"] in rows
    assert ["2", "mine", "0.9000", "0.2500", "0.2162"] in rows


@pytest.mark.tensorflow
def test_a_weight_on_the_command_line_changes_the_order(rank, target):
    result = rank("--target", target, "--timeout-ms", 600_000, "--weight", "duration=0", "--json")
    assert [row["id"] for row in json.loads(result.output)["ranking"]] == ["mine", "v1"]


@pytest.mark.tensorflow
def test_a_formula_file_goes_before_the_request_file_and_a_weight_before_both(
    rank, target, tmp_path
):
    formula = tmp_path / "formula.yaml"
    formula.write_text(
        "ranking_formula: {weights: {click: 3.0}, duration: {field: duration_s, transform: log1p, scale: 10.0, weight: 0.0}}"
    )
    content = REQUEST | {"weights": {"click": 7.0, "like": 7.0}}
    result = rank(
        "--target", target, "--timeout-ms", 600_000, "--formula", formula, "--json", content=content
    )
    # `like` is not in the file, so it has weight 0: .9 ^ 3 = .729, .5 ^ 3 = .125.
    scores = [(row["id"], row["ranking_score"]) for row in json.loads(result.output)["ranking"]]
    assert scores == [
        ("mine", pytest.approx(0.729, rel=1e-5)),
        ("v1", pytest.approx(0.125, rel=1e-5)),
    ]
    options = ("--formula", formula, "--weight", "click=1", "--json")
    result = rank("--target", target, "--timeout-ms", 600_000, *options, content=content)
    assert [row["ranking_score"] for row in json.loads(result.output)["ranking"]] == pytest.approx(
        [0.9, 0.5], rel=1e-5
    )


def test_a_formula_that_does_not_fit_the_spec_is_refused(rank, tmp_path):
    (tmp_path / "formula.yaml").write_text("ranking_formula: {weights: {clicks: 3.0}}")
    result = rank("--formula", tmp_path / "formula.yaml")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "weights.clicks: spec toy has no such task: did you mean 'click' or 'like'?" in " ".join(
        result.stderr.split()
    )


@pytest.mark.tensorflow
def test_explain_shows_each_factor_and_its_logarithm(rank, target):
    result = rank("--target", target, "--timeout-ms", 600_000, "--explain")
    assert result.exit_code == 0, result.output
    explanation = result.output[result.output.index("ranking score = product") :]
    assert [
        part in explanation for part in ("click ^ 1", "like ^ 0.5", "duration ^ 2", "product")
    ] == [True] * 4
    # of `mine`: 0.9, 0.25^0.5, (log 2)^2 = 0.4805; logarithms -0.105, -0.693, -0.733
    assert [
        part in explanation for part in ("0.9000", "0.5000", "0.4805", "-0.105", "-0.693", "-0.733")
    ] == [True] * 6
    assert "differ" not in result.output


@pytest.mark.tensorflow
def test_a_request_is_logged_with_its_answer(rank, target, tmp_path):
    result = rank("--target", target, "--timeout-ms", 600_000, "--request-log", tmp_path / "log")
    assert result.exit_code == 0, result.output
    [file] = (tmp_path / "log").glob("*.tfrecord")
    [record] = records(file)
    request, response = record.predict_log.request, record.predict_log.response
    assert list(request.inputs["video_id"].string_val) == [b"v1", b""]
    assert list(response.outputs["click"].float_val) == pytest.approx([0.5, 0.9])
    assert record.log_metadata.sampling_config.sampling_rate == 1.0


@pytest.mark.tensorflow
def test_a_log_of_requests_that_cannot_be_written_is_named(rank, tmp_path):
    (tmp_path / "file").touch()
    result = rank("--request-log", tmp_path / "file" / "log")
    assert (result.exit_code, result.stdout) == (1, "")
    assert f"--request-log {tmp_path}/file/log: cannot be written: Not a directory" in result.stderr


@pytest.mark.tensorflow
def test_json_carries_the_explanation_for_programs(rank, target):
    result = rank(
        "--target", target, "--timeout-ms", 600_000, "--explain", "--json", "--weight", "click=2"
    )
    best = json.loads(result.output)["ranking"][0]
    assert best["terms"][0] == {
        "name": "click", "value": pytest.approx(0.9), "weight": 2.0, "factor": pytest.approx(0.81),
        "log_factor": pytest.approx(-0.2107, rel=1e-3),
    }  # fmt: skip
    assert best["product"] == pytest.approx(best["ranking_score"], rel=1e-5)


def test_more_candidates_than_a_message_takes_are_sent_in_parts(rank, scripted, answer_by_quality):
    ranker = scripted(lambda number, request, context: answer_by_quality(request))
    result = rank("--target", ranker.target, "--max-candidates", 1, "--label", "canary", "--json")
    assert [row["id"] for row in json.loads(result.output)["ranking"]] == ["mine", "v1"]
    assert [request.model_spec.version_label for request in ranker.requests] == ["canary"] * 2


def test_a_server_with_mutual_tls_is_asked_with_the_certificates_given(
    rank, scripted, answer_by_quality, server_credentials, tls_files, tls_options
):
    ranker = scripted(
        lambda number, request, context: answer_by_quality(request), server_credentials(mutual=True)
    )
    options = tls_options(tls_files)
    result = rank("--target", ranker.target, "--timeout-ms", 600_000, *options)
    assert result.exit_code == 0, result.stderr
    for less in ([], ["--tls"], options[:2]):
        result = rank("--target", ranker.target, *less)
        assert (result.exit_code, "cannot be reached" in result.stderr) == (1, True)
    assert "come together" in rank("--target", ranker.target, *options[:4]).stderr


@pytest.mark.tensorflow
def test_a_spec_on_the_command_line_goes_before_that_of_the_file(rank, target, tmp_path):
    result = rank("--target", target, "--spec", "census_income", "--model", "toy")
    assert result.exit_code == 1
    assert "user.user_id: no such user field" in result.stderr


@pytest.mark.parametrize(
    ("options", "content", "text"),
    [
        (
            (),
            {"candidates": []},
            'names no spec: give --spec, or a key "spec". Ready specs: census_income, kuairand, kuairand_static, short_video',
        ),
        ((), REQUEST | {"spec": "none.yaml"}, "none.yaml: cannot be read"),
        ((), {"candidates": 3}, "request.json: not a ranking request"),
        (("--weight", "click"), REQUEST, "--weight click: give a task and a number"),
        (
            ("--weight", "durations=2"),
            REQUEST,
            "weights.durations: the ranking formula has no such factor: did you mean 'duration'?",
        ),
        ((), REQUEST | {"candidates": []}, "candidates: at least one is needed"),
        (("--target", "127.0.0.1:1"), REQUEST, "127.0.0.1:1: the server cannot be reached"),
    ],
)
def test_what_cannot_be_ranked_is_explained_on_stderr_without_a_stack_trace(
    rank, options, content, text
):
    result = rank(*options, content=content)
    assert (result.exit_code, result.stdout) == (1, "")
    assert text in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.slow
@pytest.mark.tensorflow
def test_serve_says_where_it_listens_follows_the_folder_and_drains_on_sigterm(
    root, push, toy_spec, tmp_path
):
    from serving.client.ranking_client import RankingClient
    from serving.client.types import Candidate, RankingRequest

    code = (
        "import typer; from serving.commands import add_to; app = typer.Typer(); add_to(app); app()"
    )
    monitoring = tmp_path / "monitoring.config"
    monitoring.write_text('prometheus_config { enable: true path: "/metrics" }')
    command = [
        sys.executable,
        "-u",
        "-c",
        code,
        "serve",
        "--root",
        str(root),
        "--port",
        "0",
        "--poll-seconds",
        "0.05",
    ]
    command += [
        "--rest-port",
        "0",
        "--monitoring-config-file",
        str(monitoring),
        "--ui",
        "--ui-port",
        "0",
        "--no-browser",
        "--request-log",
        str(tmp_path / "log"),
    ]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        lines = []

        def read_until(part):
            for line in process.stdout:
                lines.append(line)
                if part in line:
                    return line
            raise AssertionError(f"the server ended without {part!r}: {lines}")

        try:
            listening = read_until("Listening on")
            assert (
                f"waiting for a first version in {root}/serving_model, which does not exist yet"
                in listening
            )
            target, rest_target = listening.split()[2], listening.split()[5]
            page = read_until("To try it in a browser").split()[-1]
            push(1)
            assert "toy: version 1 is AVAILABLE" in read_until("AVAILABLE")
            with RankingClient(target, toy_spec, timeout_ms=600_000.0) as client:
                assert (
                    client.rank(RankingRequest(candidates=[Candidate(fields={})])).model_version
                    == 1
                )
            with urllib.request.urlopen(f"http://{rest_target}/v1/models/toy") as answer:
                assert json.load(answer)["model_version_status"][0]["version"] == "1"
            with urllib.request.urlopen(f"http://{rest_target}/metrics") as answer:
                assert (
                    b':tensorflow:serving:request_count{model_name="toy",status="OK"}'
                    in answer.read()
                )
            with urllib.request.urlopen(f"{page}api/models") as answer:
                assert json.load(answer)["models"][0]["versions"] == [1]
            process.send_signal(signal.SIGTERM)
            counted = read_until("in the sample")
            assert f"1 requests = 1 in {tmp_path}/log + 0 not in the sample + 0 lost" in counted
            [file] = (tmp_path / "log").glob("*.tfrecord")
            [record] = records(file)
            assert record.predict_log.response.model_spec.version.value == 1
            assert list(record.predict_log.request.inputs["user_id"].string_val) == [b""]
            read_until("Stopped.")
            assert process.wait(timeout=600.0) == 0
        finally:
            process.kill()


def test_help_of_both_commands_shows_an_example():
    for command in ("serve", "rank"):
        result = CliRunner(env={"COLUMNS": "200"}).invoke(APP, [command, "--help"])
        assert f"Example: fulcrum {command} " in result.output


def test_the_commands_import_nothing_heavy():
    heavy = ["tensorflow", "pydantic", "grpc", "numpy"]
    code = f"import sys, serving.commands; print([name for name in {heavy} if name in sys.modules])"
    assert (
        subprocess.run(
            [sys.executable, "-c", code], check=True, capture_output=True, text=True
        ).stdout
        == "[]\n"
    )


@pytest.mark.parametrize(
    "options", [[], ["--root", "runs", "--model-config-file", "models.config"]]
)
def test_serve_wants_one_thing_to_serve(options):
    result = CliRunner(env={"COLUMNS": "200"}).invoke(APP, ["serve", *options])
    assert result.exit_code == 1
    assert (
        "Say what to serve with --root or with --model-config-file, one of them." in result.output
    )


def test_a_sample_without_a_log_to_keep_it_in_is_refused(tmp_path):
    result = CliRunner(env={"COLUMNS": "200"}).invoke(
        APP, ["serve", "--root", str(tmp_path), "--sample", "0.1"]
    )
    assert (result.exit_code, "give --request-log too" in result.output) == (1, True)


def test_serve_wants_a_port_to_show_metrics_on(tmp_path):
    options = [
        "serve",
        "--root",
        str(tmp_path),
        "--monitoring-config-file",
        str(tmp_path / "monitoring.config"),
    ]
    result = CliRunner(env={"COLUMNS": "200"}).invoke(APP, options)
    assert (result.exit_code, "give --rest-port too" in result.output) == (1, True)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (
            ["--ui-port", "0"],
            "--ui-port, --ui-requests and --no-browser are for the page: give --ui too.",
        ),
        (["--no-browser"], "give --ui too."),
        (["--ui", "--ssl-config-file", "tls.config"], "leave out --ui or --ssl-config-file."),
    ],
)
def test_options_of_the_page_that_would_do_nothing_are_refused(tmp_path, options, text):
    result = CliRunner(env={"COLUMNS": "200"}).invoke(
        APP, ["serve", "--root", str(tmp_path), *options]
    )
    assert (result.exit_code, text in result.output) == (1, True)
