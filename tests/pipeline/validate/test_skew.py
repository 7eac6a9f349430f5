"""`fulcrum skew`: logged requests against training statistics."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner, Result

from feature_spec.loading import parse_spec
from feature_spec.spec import FeatureSpec
from pipeline.commands import add_to

pytestmark = [pytest.mark.slow, pytest.mark.tensorflow]

TEXT = """
name: tiny
logs: {exposures: {path: a, format: jsonl}}
split: {evaluation_files: [a]}
fields:
  region: {side: user, kind: categorical}
  item: {side: item, kind: categorical}
  tags: {side: item, kind: multi_categorical}
  price: {side: item, kind: numeric}
tasks:
  click: {kind: binary, label: {rule: event, column: a}, metric: auc, threshold: 0.5, tolerance: 0.01}
ranking_formula: {weights: {click: 1}}
skew: {thresholds: {region: {l_infinity: 0.2}, tags: {l_infinity: 0.2}, price: {jensen_shannon: 0.1}}}
"""
SPEC = parse_spec(TEXT)
# Half of the users from the north; tags x, x, y, y; prices from 0 to 9.
TRAINING = {
    "region": ["north", "south"] * 10,
    "tags": [["x", "y"]] * 20,
    "price": [float(i % 10) for i in range(20)],
}


def write_training(root: Path, execution: int = 3) -> None:
    import pyarrow as pa
    import tfx  # noqa: F401

    import tensorflow_data_validation as tfdv  # isort: skip
    import apache_beam as beam

    text, number = pa.large_list(pa.large_binary()), pa.large_list(pa.float32())
    columns = [
        pa.array([[region.encode()] for region in TRAINING["region"]], text),
        pa.array([[tag.encode() for tag in tags] for tags in TRAINING["tags"]], text),
        pa.array([[price] for price in TRAINING["price"]], number),
    ]
    file = (
        root
        / "artifacts"
        / "StatisticsGen"
        / "statistics"
        / str(execution)
        / "Split-train"
        / "FeatureStats.pb"
    )
    file.parent.mkdir(parents=True)
    options = beam.options.pipeline_options.PipelineOptions(["--direct_running_mode=in_memory"])
    with beam.Pipeline(options=options) as pipeline:
        _ = (
            pipeline
            | beam.Create([pa.RecordBatch.from_arrays(columns, names=list(TRAINING))])
            | tfdv.GenerateStatistics(tfdv.StatsOptions())
            | tfdv.WriteStatisticsToBinaryFile(str(file))
        )


def write_log(
    folder: Path, regions: list[str | None], *, spec: FeatureSpec = SPEC, signature: str = "rank"
) -> None:
    """A request a region, each for ten candidates with the tags and prices of training, as the client logs them."""
    from serving import tf_serving_api
    from serving.client.request_log import RequestLog
    from serving.client.request_tensors import request_tensors
    from serving.client.types import Candidate, RankingRequest

    with RequestLog(folder, sampling_rate=1.0) as log:
        for region in regions:
            candidates = [
                Candidate(
                    fields={
                        "item": "i",
                        "tags": ["x", "y"] if i % 2 else ["y", "x"],
                        "price": float(i),
                    }
                )
                for i in range(10)
            ]
            request = RankingRequest(user={"region": region}, context={}, candidates=candidates)
            message = tf_serving_api.PredictRequest(
                model_spec={"name": spec.name, "signature_name": signature}
            )
            for name, tensor in request_tensors(spec, request).items():
                message.inputs[name].CopyFrom(tensor)
            log.offer(None, [message.SerializeToString()], [tf_serving_api.PredictResponse()])


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("root")
    write_training(root)
    (root / "spec.yaml").write_text(TEXT, encoding="utf-8")
    return root


def skew(root: Path, requests: Path, *arguments: str) -> Result:
    app = typer.Typer()
    add_to(app)
    given = [
        "--spec",
        str(root / "spec.yaml"),
        "--root",
        str(root),
        "--requests",
        str(requests / "*.tfrecord"),
        *arguments,
    ]
    return CliRunner().invoke(app, ["skew", *given])


def rows(result: Result) -> dict[str, list[str]]:
    lines = [line for line in result.output.splitlines() if line.startswith("│")]
    cells = [[cell.strip() for cell in line.strip("│").split("│")] for line in lines]
    return {row[0]: row[1:] for row in cells}


def test_requests_like_the_examples_are_within(root: Path, tmp_path: Path) -> None:
    write_log(tmp_path, ["north", "south"] * 5)
    result = skew(root, tmp_path)
    assert result.exit_code == 0, result.output
    assert rows(result)["region"] == ["l_infinity", "0.0000", "0.2", "within"]
    assert rows(result)["tags"] == ["l_infinity", "0.0000", "0.2", "within"]
    assert rows(result)["price"] == ["jensen_shannon", "0.0000", "0.1", "within"]
    assert "10 ranking requests" in result.output


def test_a_field_that_is_served_otherwise_is_beyond_with_exit_code_1(
    root: Path, tmp_path: Path
) -> None:
    # A user counts once a request, whatever the number of candidates: 9 of 10 from the north
    # instead of one half.
    write_log(tmp_path, ["north"] * 9 + ["south"])
    result = skew(root, tmp_path, "--json", str(tmp_path / "skew.json"))
    assert result.exit_code == 1
    assert rows(result)["region"] == ["l_infinity", "0.4000", "0.2", "beyond"]
    document: dict[str, Any] = json.loads((tmp_path / "skew.json").read_text(encoding="utf-8"))
    assert [field["field"] for field in document["fields"] if field["is_beyond"]] == ["region"]
    assert document["requests"] == 10


def test_a_field_that_no_request_has_is_beyond(root: Path, tmp_path: Path) -> None:
    write_log(tmp_path, [None, None])
    result = skew(root, tmp_path)
    assert result.exit_code == 1
    assert rows(result)["region"] == ["l_infinity", "–", "0.2", "no values to compare"]


def test_shares_of_missing_values_are_measured_of_every_field_and_judged_where_the_spec_says(
    root: Path, tmp_path: Path
) -> None:
    # One of four requests has no region, all ten candidates of each have a price, and training
    # never had an item.
    write_log(tmp_path, ["north", "south", "north", None])
    result = skew(root, tmp_path, "--json", str(tmp_path / "skew.json"))
    assert result.exit_code == 0, result.output
    document = json.loads((tmp_path / "skew.json").read_text(encoding="utf-8"))
    shares = {one["field"]: (one["training"], one["served"]) for one in document["missing"]}
    assert shares == {"region": (0, 0.25), "item": (1, 0), "tags": (0, 0), "price": (0, 0)}
    table = result.output[result.output.index("Share of missing") :]
    assert [line.split("│")[1].strip() for line in table.splitlines() if "│" in line][:2] == [
        "item",
        "region",
    ]
    (tmp_path / "spec.yaml").write_text(
        TEXT.replace("skew: {", "skew: {missing: 0.3, "), encoding="utf-8"
    )
    judged = skew(root, tmp_path, "--spec", str(tmp_path / "spec.yaml"))
    assert judged.exit_code == 1
    verdicts = [line.split() for line in judged.output.splitlines() if "%" in line]
    assert [(cells[1], cells[-2]) for cells in verdicts] == [
        ("item", "beyond"),
        ("region", "within"),
        ("tags", "within"),
        ("price", "within"),
    ]


def test_what_is_no_ranking_request_of_this_spec_is_left_out_and_counted(
    root: Path, tmp_path: Path
) -> None:
    other = parse_spec(
        TEXT.replace("kind: multi_categorical", "kind: multi_categorical, max_length: 3")
    )
    write_log(tmp_path, ["north", "south"])
    write_log(tmp_path, ["north"] * 3, spec=other)
    write_log(tmp_path, ["north"] * 4, signature="serving_default")
    result = skew(root, tmp_path)
    assert result.exit_code == 0, result.output
    text = " ".join(result.output.split())
    assert "2 ranking requests" in text
    assert "3 left out: for another fingerprint of the spec" in text
    assert "4 left out: of another signature than rank and rank_top_k" in text


def test_logs_without_a_ranking_request_are_an_error_that_says_what_they_hold(
    root: Path, tmp_path: Path
) -> None:
    write_log(tmp_path, ["north"] * 4, signature="serving_default")
    result = skew(root, tmp_path)
    assert result.exit_code == 2
    assert "no ranking request of spec 'tiny'" in result.output
    assert "4 of another signature" in result.output


def test_a_file_that_is_no_request_log_is_named(root: Path, tmp_path: Path) -> None:
    (tmp_path / "broken.tfrecord").write_text("no records " * 20, encoding="utf-8")
    result = skew(root, tmp_path)
    assert result.exit_code == 2
    assert "broken.tfrecord is no TFRecord file of PredictionLog" in result.output


def test_a_root_without_statistics_and_files_that_do_not_exist_are_errors(
    root: Path, tmp_path: Path
) -> None:
    assert "no file matches --requests" in skew(root, tmp_path).output
    write_log(tmp_path, ["north"])
    (tmp_path / "spec.yaml").write_text(TEXT, encoding="utf-8")
    result = skew(tmp_path, tmp_path)
    assert result.exit_code == 2
    assert "is no pipeline root with training statistics" in result.output


def test_a_spec_without_thresholds_is_an_error(root: Path, tmp_path: Path) -> None:
    write_log(tmp_path, ["north"])
    result = skew(root, tmp_path, "--spec", "short_video")
    assert result.exit_code == 2
    assert "spec short_video has no skew.thresholds" in result.output


def test_the_newest_statistics_of_a_root_count(tmp_path: Path) -> None:
    from pipeline.validate.skew import training_statistics

    for execution in ("9", "10", ".temp"):
        folder = tmp_path / "artifacts" / "StatisticsGen" / "statistics" / execution / "Split-train"
        folder.mkdir(parents=True)
        (folder / "FeatureStats.pb").touch()
    assert training_statistics(tmp_path).split("/")[-3] == "10"


HISTORIES = """
keys: {event_time: {column: t, unit: s}}
histories:
  known_after_s: 600
  counts: {item: {by: [item]}}
  sequences: {seen: {by: region, fields: [item, tags]}}
"""


def test_fields_of_histories_are_read_as_they_were_sent(tmp_path: Path) -> None:
    import numpy as np

    from pipeline.validate.skew import ServedRequests
    from serving import tf_serving_api
    from serving.client.request_log import RequestLog
    from serving.client.request_tensors import request_tensors
    from serving.client.types import Candidate, RankingRequest
    from serving.histories.store import HistoryValues

    spec = parse_spec(TEXT + HISTORIES)
    histories = HistoryValues(
        user={"seen_item": ["i", "j"], "seen_tags": ["", "x"], "seen_age": ["3", "9"]},
        context={},
        items={"item_shown": np.float32([4, np.nan]), "item_click": np.float32([1, np.nan])},
        newest_us=0,
    )
    with RequestLog(tmp_path, sampling_rate=1.0) as log:
        for known in (histories, None):
            request = RankingRequest(candidates=[Candidate(fields={}), Candidate(fields={})])
            message = tf_serving_api.PredictRequest(
                model_spec={"name": spec.name, "signature_name": "rank"}
            )
            for name, tensor in request_tensors(spec, request, known).items():
                message.inputs[name].CopyFrom(tensor)
            log.offer(None, [message.SerializeToString()], [tf_serving_api.PredictResponse()])
    (batch,) = ServedRequests(spec, [str(file) for file in tmp_path.glob("*.tfrecord")]).batches()
    # A row of the user, then one of each of two candidates, with and without histories. An empty
    # text of an aligned list keeps its place, as in the examples.
    columns = batch.to_pydict()
    assert columns["seen_tags"] == [[b"", b"x"], *[None] * 5]
    assert columns["seen_item"] == [[b"i", b"j"], *[None] * 5]
    assert columns["item_shown"] == [None, [4.0], *[None] * 4]
