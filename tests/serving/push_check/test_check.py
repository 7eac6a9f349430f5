"""The check before a push: what it makes of an export, and what it refuses."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from feature_spec.loading import parse_spec

pytestmark = [pytest.mark.slow, pytest.mark.tensorflow]

SPEC = """
name: tiny
logs: {exposures: {path: x, format: jsonl}}
split: {evaluation_files: [x]}
fields:
  age: {side: user, kind: numeric}
  tags: {side: item, kind: multi_categorical}
  quality: {side: item, kind: numeric}
tasks:
  click: {kind: binary, label: {rule: event, column: c}, metric: auc, threshold: 0.5, tolerance: 0.1}
ranking_formula: {weights: {click: 1.0}}
serving: {candidate_counts: [1, 4], latency_budget_ms: 10000}
"""
# Two users, one of unknown age; of the items one has no tags.
EXAMPLES = [
    {"age": 1.0, "quality": 0.5, "tags": ["a"]},
    {"quality": -0.25, "tags": ["a", "b"]},
    {"age": 2.0, "quality": 3.0},
]


def write_model(
    folder: Path, *, rank_adds: float = 0.0, seconds_a_rank: float = 0.0, refused_age: float = -1.0
) -> str:
    """A model whose click is sigmoid(quality + age / 10 + tags / 5), and whose `rank` adds something to that."""
    import tensorflow as tf

    def scores(age: Any, quality: Any, tags: Any) -> dict[str, Any]:
        click = tf.sigmoid(
            quality
            + tf.where(tf.math.is_nan(age), 0.0, age) / 10.0
            + tf.cast(tags, tf.float32) / 5.0
        )
        return {"click": click, "ranking_score": click}

    class Model(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="examples")])
        def serve(self, examples: Any) -> dict[str, Any]:
            number = tf.io.FixedLenFeature([], tf.float32, float("nan"))
            read = tf.io.parse_example(
                examples, {"age": number, "quality": number, "tags": tf.io.RaggedFeature(tf.string)}
            )
            return scores(read["age"], read["quality"], read["tags"].row_lengths())

        @tf.function(
            input_signature=[
                tf.TensorSpec([1], tf.float32, name="age"),
                tf.TensorSpec([None, None], tf.string, name="tags"),
                tf.TensorSpec([None], tf.float32, name="quality"),
                tf.TensorSpec([], tf.string, name="spec_fingerprint"),
            ]
        )
        def rank(self, age: Any, tags: Any, quality: Any, spec_fingerprint: Any) -> dict[str, Any]:
            tf.debugging.Assert(tf.reduce_all(age != refused_age), ["not today"])
            result = scores(age, quality, tf.math.count_nonzero(tags != "", axis=1))
            if seconds_a_rank:
                end = tf.timestamp() + seconds_a_rank
                with tf.control_dependencies(
                    [tf.while_loop(lambda _: tf.timestamp() < end, lambda i: i + 1, [0])[0]]
                ):
                    result = {name: tf.identity(values) for name, values in result.items()}
            return {name: values + rank_adds for name, values in result.items()}

    model = Model()
    tf.saved_model.save(
        model, str(folder), signatures={"serving_default": model.serve, "rank": model.rank}
    )
    return str(folder)


def write_examples(file: Path, rows: list[dict[str, Any]]) -> str:
    import tensorflow as tf

    with tf.io.TFRecordWriter(str(file), "GZIP") as writer:
        for row in rows:
            example = tf.train.Example()
            for name, value in row.items():
                if isinstance(value, float):
                    example.features.feature[name].float_list.value.append(value)
                else:
                    example.features.feature[name].bytes_list.value.extend(
                        text.encode() for text in value
                    )
            writer.write(example.SerializeToString())
    return str(file)


def check(folder: Path, spec: str = SPEC, **model: float) -> dict[str, Any]:
    from serving.push_check.check import check_before_push

    return check_before_push(
        model=write_model(folder / "model", **model),
        example_files=[write_examples(folder / "examples.gz", EXAMPLES)],
        spec=spec,
        version=str(folder / "version"),
    )


@pytest.fixture(scope="module")
def passed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("passed")
    return folder, check(folder)


def warmup_requests(folder: Path) -> list[Any]:
    import tensorflow as tf
    from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog

    file = str(folder / "version" / "assets.extra" / "tf_serving_warmup_requests")
    return [
        PredictionLog.FromString(record.numpy()).predict_log.request
        for record in tf.data.TFRecordDataset(file)
    ]


def test_a_version_that_answers_as_the_trainers_export_does_is_not_refused(
    passed: tuple[Path, dict[str, Any]],
) -> None:
    _, report = passed
    assert report.refusals == []
    # 5 users with each number of candidates, and the examples themselves.
    assert report.compared_requests == 2 * 5 + 1
    assert report.largest_difference < 1e-6


def test_latencies_are_told_by_number_of_candidates(passed: tuple[Path, dict[str, Any]]) -> None:
    _, report = passed
    assert [entry.candidates for entry in report.latency_ms] == [1, 4]
    assert all(0.0 < entry.p50 <= entry.p99 < math.inf for entry in report.latency_ms)


def test_the_version_is_the_export_with_a_warm_up_request_for_each_signature_and_number_of_candidates(
    passed: tuple[Path, dict[str, Any]],
) -> None:
    folder, report = passed
    requests = [
        (
            request.model_spec.signature_name,
            [dim.size for dim in request.inputs[rows].tensor_shape.dim],
        )
        for request, rows in zip(
            warmup_requests(folder), ["quality", "quality", "examples"], strict=True
        )
    ]
    assert requests == [("rank", [1]), ("rank", [4]), ("serving_default", [3])]
    assert report.warmup_requests == 3
    for file in ("saved_model.pb", "variables/variables.index"):
        assert (folder / "version" / file).read_bytes() == (folder / "model" / file).read_bytes()


def test_warm_up_requests_hold_the_values_of_logged_examples(
    passed: tuple[Path, dict[str, Any]],
) -> None:
    import tensorflow as tf

    _, of_four, of_examples = warmup_requests(passed[0])
    inputs = {name: tf.make_ndarray(tensor).tolist() for name, tensor in of_four.inputs.items()}
    # There are three examples, so the fourth candidate is the first again.
    assert inputs["quality"] == [0.5, -0.25, 3.0, 0.5]
    assert inputs["tags"] == [[b"a", b""], [b"a", b"b"], [b"", b""], [b"a", b""]]
    assert inputs["age"] == [1.0]
    assert inputs["spec_fingerprint"] == parse_spec(SPEC).fingerprint.encode()
    assert len(of_examples.inputs["examples"].string_val) == 3


def test_the_same_examples_give_the_same_warm_up_file(
    passed: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    check(tmp_path)
    file = Path("version") / "assets.extra" / "tf_serving_warmup_requests"
    assert (tmp_path / file).read_bytes() == (passed[0] / file).read_bytes()


def test_scores_that_differ_from_the_trainers_refuse_the_version(tmp_path: Path) -> None:
    [refusal] = check(tmp_path, rank_adds=0.01).refusals
    assert refusal.startswith("rank of ")
    assert "they differ by 0.01, more than serving.score_tolerance 0.0001" in refusal


def test_a_tolerance_in_the_spec_lets_a_difference_pass(tmp_path: Path) -> None:
    spec = SPEC.replace("10000}", "10000, score_tolerance: 0.02}")
    assert check(tmp_path, spec, rank_adds=0.01).refusals == []


def test_answers_beyond_the_budget_refuse_the_version_with_each_number_of_candidates(
    tmp_path: Path,
) -> None:
    report = check(tmp_path, SPEC.replace("10000}", "1}"), seconds_a_rank=0.005)
    for count, refusal in zip((1, 4), report.refusals, strict=True):
        assert refusal.startswith(f"rank of {count} candidates: p99 ")
        assert "is above serving.latency_budget_ms 1 by " in refusal


def test_a_signature_for_which_no_request_can_be_made_is_named(tmp_path: Path) -> None:
    # The model knows no field of this name.
    spec = SPEC.replace("  quality:", "  unknown: {side: user, kind: numeric}\n  quality:")
    with pytest.raises(
        ValueError,
        match="no warm-up request can be made for signature 'rank', which reads age, quality",
    ):
        check(tmp_path, spec)


def test_a_version_that_refuses_logged_requests_is_refused_with_what_it_said(
    tmp_path: Path,
) -> None:
    # The third user's age; warm-up requests are those of the first.
    [refusal] = check(tmp_path, refused_age=2.0).refusals
    assert refusal.startswith("a request made of logged examples failed: INVALID_ARGUMENT: ")
    assert "not today" in refusal


def test_a_version_that_refuses_its_warm_up_requests_is_refused_with_what_it_said(
    tmp_path: Path,
) -> None:
    report = check(tmp_path, refused_age=1.0)
    [refusal] = report.refusals
    assert refusal.startswith("the version cannot be loaded: assertion failed: [not today]")
    assert report.compared_requests == 0


def test_a_version_that_cannot_be_loaded_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import grpc

    from serving.model_server.status_error import StatusError
    from serving.model_server.versions.saved_model import SavedModel

    def broken(self: Any, folder: Path, **settings: Any) -> None:
        raise StatusError(grpc.StatusCode.DATA_LOSS, "the file is cut")

    monkeypatch.setattr(SavedModel, "__init__", broken)
    report = check(tmp_path)
    assert report.refusals == ["the version cannot be loaded: the file is cut"]
    assert report.latency_ms == []


def test_without_an_example_there_is_nothing_to_check_with(tmp_path: Path) -> None:
    from serving.push_check.check import check_before_push

    examples = write_examples(tmp_path / "none.gz", [])
    with pytest.raises(ValueError, match="no example to make a request of in 1 files"):
        check_before_push(
            model=write_model(tmp_path / "model"),
            example_files=[examples],
            spec=SPEC,
            version=str(tmp_path / "v"),
        )


@pytest.mark.parametrize("which", ["fingerprint", "earlier_fingerprint"])
def test_a_model_of_an_earlier_version_is_asked_by_its_own_fingerprint(
    tmp_path: Path, which: str
) -> None:
    from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

    from serving.push_check.logged_requests import known_fingerprint, rank_request

    spec = parse_spec(SPEC)
    model = SavedModel()
    default = model.meta_graphs.add().signature_def["rank"].defaults["spec_fingerprint"]
    default.string_val.append(getattr(spec, which).encode())
    (tmp_path / "saved_model.pb").write_bytes(model.SerializeToString())
    known = known_fingerprint(spec, tmp_path)
    assert known == getattr(spec, which)
    request = rank_request(spec, "rank", shown := logged(), [shown], known)
    assert list(request.inputs["spec_fingerprint"].string_val) == [known.encode()]


def logged() -> Any:
    import tensorflow as tf

    return tf.train.Example()
