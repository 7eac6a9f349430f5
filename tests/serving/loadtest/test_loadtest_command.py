"""`fulcrum loadtest`, as typed."""

from __future__ import annotations

import json

import grpc
import pytest
import typer
from typer.testing import CliRunner

from feature_spec.loading import parse_spec
from serving.commands import add_to
from serving.tf_serving_api import PredictRequest

APP = typer.Typer()
add_to(APP)
# However slow the machine is, no request is late, and the test ends with the last answer.
PATIENT = ("--timeout-ms", 600_000, "--drain-seconds", 600)
SHORT = ("--rate", 50, "--seconds", 0.4, "--users", 3, *PATIENT)


@pytest.fixture
def spec_file(tmp_path, load_spec_text):
    path = tmp_path / "spec.yaml"
    path.write_text(load_spec_text)
    return path


@pytest.fixture
def loadtest(spec_file):
    def run(target, *options, spec=True):
        arguments = [
            "loadtest",
            "--target",
            target,
            *(["--spec", spec_file] if spec else []),
            *options,
        ]
        return CliRunner(env={"COLUMNS": "160"}).invoke(
            APP, [str(argument) for argument in arguments]
        )

    return run


def rows(output):
    return [line.split() for line in output.splitlines()]


def test_the_tables_show_counts_rates_and_percentiles(loadtest, serve_with, scores):
    target = serve_with(lambda request, context: scores(request))
    result = loadtest(target, *SHORT, "--arrivals", "constant", "--candidates", 5)
    assert result.exit_code == 0, result.output
    assert f"{target}: load, version 7; 5 candidates and " in result.output
    # 50 a second for 0.4 s
    assert ["scheduled", "20", "50.0"] in rows(result.output)
    assert ["unanswered", "0"] in rows(result.output)
    assert "latency, from when it was due" in result.output
    assert "service time, from when it was sent" in result.output


def test_made_up_requests_name_model_label_and_candidates_and_are_sent_in_turn(
    loadtest, serve_with, scores
):
    received = []
    target = serve_with(lambda request, context: received.append(request) or scores(request))
    loadtest(
        target,
        *SHORT,
        "--candidates",
        4,
        "--candidates",
        2,
        "--model",
        "other",
        "--label",
        "canary",
        "--arrivals",
        "constant",
    )
    messages = [PredictRequest.FromString(request) for request in received]
    assert {message.model_spec.name for message in messages} == {"other"}
    assert {message.model_spec.version_label for message in messages} == {"canary"}
    assert {message.model_spec.signature_name for message in messages} == {"rank"}
    # three users with 4, 2 and 4 candidates; the first request is tried once before the load
    counts = [message.inputs["video_id"].tensor_shape.dim[0].size for message in messages]
    assert len(set(received)) == 3
    assert sorted(counts) == [2] * 7 + [4] * 14


def test_requests_of_files_are_sent_as_they_are(loadtest, serve_with, scores, tmp_path, spec_file):
    received = []
    target = serve_with(lambda request, context: received.append(request) or scores(request))
    paths = []
    for number in range(2):
        paths.append(tmp_path / f"{number}.json")
        content = {
            "spec": "spec.yaml",
            "user": {"user_id": f"u{number}"},
            "candidates": [{"video_id": "v1"}] * (number + 1),
        }
        paths[-1].write_text(json.dumps(content))
    result = loadtest(
        target,
        "--request",
        paths[0],
        "--request",
        paths[1],
        "--seconds",
        0.2,
        "--rate",
        50,
        *PATIENT,
        spec=False,
    )
    assert result.exit_code == 0, result.output
    users = {
        PredictRequest.FromString(request).inputs["user_id"].string_val[0] for request in received
    }
    assert users == {b"u0", b"u1"}
    assert "1 to 2 candidates" in result.output


def test_each_connection_is_used(loadtest, serve_with, scores):
    peers = set()
    target = serve_with(lambda request, context: peers.add(context.peer()) or scores(request))
    assert loadtest(target, *SHORT, "--connections", 3).exit_code == 0
    assert len(peers) == 3


def test_a_server_with_mutual_tls_is_loaded_with_the_certificates_given(
    loadtest, serve_with, scores, server_credentials, tls_files, tls_options
):
    target = serve_with(
        lambda request, context: scores(request), credentials=server_credentials(mutual=True)
    )
    options = tls_options(tls_files)
    result = loadtest(target, *SHORT, *options)
    assert result.exit_code == 0, result.stderr
    without = loadtest(target, *SHORT, "--tls")
    assert (without.exit_code, "no connection; is a model server there" in without.stderr) == (
        1,
        True,
    )
    assert "come together" in loadtest(target, *SHORT, *options[:4]).stderr


def test_json_holds_settings_and_result(loadtest, serve_with, scores, tmp_path):
    path = tmp_path / "result.json"
    target = serve_with(lambda request, context: scores(request))
    loadtest(target, *SHORT, "--json", path, "--arrivals", "constant")
    report = json.loads(path.read_text())
    assert (report["model"], report["version"], report["settings"]["rate"]) == ("load", 7, 50.0)
    summary = report["summary"]
    assert (summary["scheduled"], summary["answered"], summary["failed"]) == (20, 20, {})
    assert (
        0.0
        < summary["service_time"]["p50_ms"]
        <= summary["latency"]["p99_ms"]
        <= summary["latency"]["max_ms"]
    )


@pytest.mark.parametrize(
    ("suffix", "start"), [(".png", b"\x89PNG"), (".svg", b"<?xml"), (".pdf", b"%PDF")]
)
def test_the_picture_is_of_the_format_that_its_name_says(
    loadtest, serve_with, scores, tmp_path, suffix, start
):
    path = tmp_path / f"load{suffix}"
    assert (
        loadtest(
            serve_with(lambda request, context: scores(request)), *SHORT, "--picture", path
        ).exit_code
        == 0
    )
    assert path.read_bytes().startswith(start)


def test_the_picture_marks_failures_and_what_was_not_answered_in_time(
    loadtest, serve_with, scores, tmp_path
):
    number = iter(range(1000))

    def some_fail(request, context):
        if (turn := next(number)) % 3 == 1:
            context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "too many")
        if turn % 3 == 2:
            context.abort(grpc.StatusCode.DEADLINE_EXCEEDED, "too late")
        return scores(request)

    path = tmp_path / "load.svg"
    # 20 requests and the one before them; every third fails, and every third is not answered
    # in time
    result = loadtest(
        serve_with(some_fail),
        *SHORT,
        "--arrivals",
        "constant",
        "--picture",
        path,
    )
    assert ["failed:", "RESOURCE_EXHAUSTED", "7"] in rows(result.output)
    assert ["failed:", "DEADLINE_EXCEEDED", "7"] in rows(result.output)
    assert ["answered", "6"] in [row[:2] for row in rows(result.output)]
    assert "no answer" in result.output
    text = path.read_text()
    assert "no answer in time" in text
    assert "failed" in text


def test_a_load_is_not_begun_on_a_server_that_refuses_the_first_request(loadtest, serve_with):
    received = []

    def refuse(request, context):
        received.append(request)
        context.abort(grpc.StatusCode.NOT_FOUND, "Servable not found for request: Latest(load)")

    result = loadtest(serve_with(refuse), *SHORT)
    assert result.exit_code == 1
    assert "Servable not found for request: Latest(load)" in result.stderr
    assert len(received) == 1


def test_a_load_that_nothing_answered_ends_with_status_1_and_its_tables(
    loadtest, serve_with, scores
):
    number = iter(range(1000))

    def only_the_first(request, context):
        if next(number):
            context.abort(grpc.StatusCode.UNAVAILABLE, "gone")
        return scores(request)

    result = loadtest(serve_with(only_the_first), *SHORT, "--arrivals", "constant")
    assert result.exit_code == 1
    assert ["failed:", "UNAVAILABLE", "20"] in rows(result.output)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (
            ("--request", "x.json", "--candidates", 5),
            "--users and --candidates are for made-up requests",
        ),
        (
            ("--picture", "load.gif"),
            "load.gif: a file name that ends in .png, .svg, .pdf is needed; received '.gif'",
        ),
        (("--rate", 0), "rate: a finite number above 0 is needed; received 0"),
        (("--request", "none.json"), "none.json: cannot be read"),
        (("--spec", "none.yaml"), "none.yaml: cannot be read"),
    ],
)
def test_what_cannot_be_run_is_explained_on_stderr_without_a_stack_trace(loadtest, options, text):
    result = loadtest("127.0.0.1:1", *options)
    assert result.exit_code == 1
    assert text in result.stderr
    assert "Traceback" not in result.stderr


def test_without_a_spec_the_ready_ones_are_named(loadtest):
    result = loadtest("127.0.0.1:1", spec=False)
    assert result.exit_code == 1
    assert "no spec is named: give --spec. Ready specs: census_income" in result.stderr


def test_a_target_without_a_server_is_named(loadtest):
    result = loadtest("127.0.0.1:1")
    assert result.exit_code == 1
    assert (
        "127.0.0.1:1: no connection; is a model server there, and do both sides use TLS"
        in result.stderr
    )


def test_a_model_of_an_earlier_version_is_loaded_by_its_own_fingerprint(
    loadtest, serve_with, scores, load_spec_text
):
    spec, asked = parse_spec(load_spec_text), []

    def answer(request, context):
        [given] = PredictRequest.FromString(request).inputs["spec_fingerprint"].string_val
        asked.append(given.decode())
        if given.decode() != spec.earlier_fingerprint:
            context.abort(
                grpc.StatusCode.INVALID_ARGUMENT,
                f"mismatch: request [{given.decode()}] model [{spec.earlier_fingerprint}]",
            )
        return scores(request)

    result = loadtest(serve_with(answer), *SHORT)
    assert result.exit_code == 0, result.output
    assert asked[0] == spec.fingerprint
    assert set(asked[1:]) == {spec.earlier_fingerprint}
