"""The ranking client against a real server of the toy model, and against answers that no good server gives."""

from __future__ import annotations

import math
import struct
from concurrent import futures
from contextlib import contextmanager

import grpc
import pytest

from feature_spec.loading import parse_spec
from feature_spec.spec_difference import parts_text
from serving import tf_serving_api
from serving.client.ranking_client import RankingClient
from serving.client.side_tables import SideTables
from serving.client.tensor_values import float_tensor
from serving.client.types import Candidate, RankingRequest
from serving.errors import (
    DeadlineExceededError,
    InvalidRequestError,
    ModelNotFoundError,
    OverloadedError,
    RankingError,
    RequestRefusedError,
    ServerError,
    ServerUnavailableError,
    SpecMismatchError,
    UnusableModelError,
)


def request(*candidates, **parts):
    return RankingRequest(candidates=[Candidate(fields=fields) for fields in candidates], **parts)


@contextmanager
def answering(predict, metadata=None):
    """A server whose Predict and GetModelMetadata are the given functions of request and context; gives its address."""
    handlers = {
        "Predict": (predict, tf_serving_api.PredictRequest, tf_serving_api.PredictResponse),
        "GetModelMetadata": (
            metadata,
            tf_serving_api.GetModelMetadataRequest,
            tf_serving_api.GetModelMetadataResponse,
        ),
    }
    methods = {
        name: grpc.unary_unary_rpc_method_handler(
            answer, received.FromString, sent.SerializeToString
        )
        for name, (answer, received, sent) in handlers.items()
        if answer
    }
    server = grpc.server(futures.ThreadPoolExecutor(2))
    server.add_generic_rpc_handlers(
        [grpc.method_handlers_generic_handler("tensorflow.serving.PredictionService", methods)]
    )
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield f"127.0.0.1:{port}"
    server.stop(None).wait()


def response(**columns):
    """A PredictResponse of version 7 with float columns."""
    answer = tf_serving_api.PredictResponse()
    answer.model_spec.name, answer.model_spec.version.value = "toy", 7
    for name, values in columns.items():
        answer.outputs[name].dtype = tf_serving_api.DT_FLOAT
        answer.outputs[name].tensor_shape.dim.add(size=len(values))
        answer.outputs[name].float_val.extend(values)
    return answer


THREE = request({"video_id": "a"}, {"video_id": "b"}, {"video_id": "c"})


def ranked_with(toy_spec, answer, received=THREE):
    with (
        answering(lambda *_: answer) as target,
        RankingClient(target, toy_spec, timeout_ms=600_000.0) as client,
    ):
        return client.rank(received)


def failing_with(toy_spec, code, text, metadata=None):
    """The error that the client makes of a status."""

    def refuse(_, context):
        context.abort(code, text)

    with (
        answering(refuse, metadata) as target,
        RankingClient(target, toy_spec, timeout_ms=600_000.0) as client,
        pytest.raises(RankingError) as failure,
    ):
        client.rank(THREE)
    return failure.value


def test_candidates_are_ranked_by_ranking_score_and_equals_keep_their_order(toy_spec):
    ranked = ranked_with(
        toy_spec,
        response(click=[0.1, 0.2, 0.3], like=[0.4, 0.5, 0.6], ranking_score=[1.0, 2.0, 1.0]),
    )
    assert [(one.rank, one.position, one.candidate.fields["video_id"], one.ranking_score) for one in ranked] == [
        (1, 1, "b", 2.0), (2, 0, "a", 1.0), (3, 2, "c", 1.0),
    ]  # fmt: skip
    assert ranked.candidates[0].scores == pytest.approx({"click": 0.2, "like": 0.5})
    assert (len(ranked), ranked.model_name, ranked.model_version) == (3, "toy", 7)


def with_log_scores(answer, values, packed=False):
    """The answer with `log_ranking_score`, float64 as a model gives it."""
    tensor = answer.outputs["log_ranking_score"]
    tensor.dtype = tf_serving_api.DT_DOUBLE
    tensor.tensor_shape.dim.add(size=len(values))
    if packed:
        tensor.tensor_content = struct.pack(f"<{len(values)}d", *values)
    else:
        tensor.double_val.extend(values)
    return answer


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("scores", [[0.0, 0.0, 0.0], [3.4e38, 3.4e38, 3.4e38], [3.0, 1.0, 2.0]])
def test_candidates_are_ordered_by_the_log_of_the_ranking_score_if_there_is_one(
    toy_spec, scores, packed
):
    """The score itself is the same for all where float32 cannot hold it."""
    answer = response(click=[1, 1, 1], like=[1, 1, 1], ranking_score=scores)
    # They differ by less than float32 can tell apart at 92.
    logs = [-92.1, -92.1 + 1e-9, -92.1]
    ranked = ranked_with(toy_spec, with_log_scores(answer, logs, packed))
    assert [(one.position, one.log_ranking_score) for one in ranked] == [
        (1, logs[1]), (0, logs[0]), (2, logs[2]),
    ]  # fmt: skip
    assert [one.ranking_score for one in ranked] == pytest.approx([scores[i] for i in (1, 0, 2)])


def test_a_model_without_log_scores_ranks_by_its_ranking_scores(toy_spec):
    ranked = ranked_with(
        toy_spec, response(click=[1, 1, 1], like=[1, 1, 1], ranking_score=[1e-30, 2e-30, 0.0])
    )
    assert [(one.position, one.log_ranking_score) for one in ranked] == [
        (1, None), (0, None), (2, None),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("logs", "text"),
    [([1.0, math.nan, 2.0], "= nan for candidates\\[1\\]"), ([1.0], "dtype 2 and shape \\[1\\]")],
)
def test_log_scores_that_give_no_order_are_refused(toy_spec, logs, text):
    answer = response(click=[1, 1, 1], like=[1, 1, 1], ranking_score=[1, 1, 1])
    with pytest.raises(UnusableModelError, match=f"gave 'log_ranking_score' (with )?{text}"):
        ranked_with(toy_spec, with_log_scores(answer, logs))


def test_scores_may_come_as_packed_bytes(toy_spec):
    answer = response(click=[0.5], like=[0.5])
    answer.outputs["ranking_score"].dtype = tf_serving_api.DT_FLOAT
    answer.outputs["ranking_score"].tensor_shape.dim.add(size=1)
    answer.outputs["ranking_score"].tensor_content = b"\x00\x00\x80\x3f"
    assert ranked_with(toy_spec, answer, request({})).candidates[0].ranking_score == 1.0


@pytest.mark.parametrize(
    ("columns", "text"),
    [
        ({"click": [1, 1, 1], "like": [1, 1, 1]}, "gave no 'ranking_score'; received click, like"),
        ({"click": [1, 1, 1], "ranking_score": [1, 1, 1]}, "gave no 'like'"),
        (
            {"click": [1, 1], "like": [1, 1, 1], "ranking_score": [1, 1, 1]},
            "gave 'click' with dtype 1 and shape \\[2\\]",
        ),
        (
            {"click": [1, 1, math.nan], "like": [1, 1, 1], "ranking_score": [1, 1, 1]},
            "gave 'click' = nan for candidates\\[2\\]",
        ),
    ],
)
def test_an_answer_that_is_not_a_score_a_task_and_candidate_is_refused(toy_spec, columns, text):
    with pytest.raises(UnusableModelError, match=f"model toy version 7 {text}"):
        ranked_with(toy_spec, response(**columns))


def test_an_answer_with_too_few_bytes_is_refused(toy_spec):
    answer = response(click=[1, 1, 1], like=[1, 1, 1], ranking_score=[1, 1, 1])
    answer.outputs["like"].tensor_content = b"1234"
    with pytest.raises(UnusableModelError, match="gave 'like' as 4 bytes for 3 numbers"):
        ranked_with(toy_spec, answer)


@pytest.mark.parametrize(
    ("code", "kind", "also"),
    [
        ("DEADLINE_EXCEEDED", DeadlineExceededError, TimeoutError),
        ("UNAVAILABLE", ServerUnavailableError, ConnectionError),
        ("RESOURCE_EXHAUSTED", OverloadedError, ServerError),
        ("NOT_FOUND", ModelNotFoundError, ServerError),
        ("INVALID_ARGUMENT", RequestRefusedError, ServerError),
        ("FAILED_PRECONDITION", RequestRefusedError, ServerError),
        ("INTERNAL", ServerError, RankingError),
    ],
)
def test_statuses_become_errors_of_their_own_with_the_servers_text(toy_spec, code, kind, also):
    error = failing_with(toy_spec, grpc.StatusCode[code], "because")
    assert type(error) is kind
    assert isinstance(error, also)
    assert (error.code.name, error.text) == (code, "because")
    assert all(part in str(error) for part in ("127.0.0.1:", "model toy", ": because. "))
    assert isinstance(error.__cause__, grpc.RpcError)


def test_a_server_that_is_not_there_is_unavailable(toy_spec, free_port):
    with (
        RankingClient(f"127.0.0.1:{free_port}", toy_spec, timeout_ms=600_000.0) as client,
        pytest.raises(ServerUnavailableError, match=f":{free_port}: "),
    ):
        client.rank(THREE)


def test_a_call_is_given_up_after_its_time(toy_spec):
    import threading

    release = threading.Event()

    def hang(*_):
        release.wait(600.0)
        return response()

    with answering(hang) as target, RankingClient(target, toy_spec, timeout_ms=100.0) as client:
        with pytest.raises(DeadlineExceededError, match="no answer within 100 ms"):
            client.rank(THREE)
        with pytest.raises(DeadlineExceededError, match="no answer within 50 ms"):
            client.rank(THREE, timeout_ms=50.0)
        release.set()


@pytest.mark.parametrize("timeout_ms", [0.0, -1.0, math.inf, math.nan])
def test_a_time_limit_that_is_none_is_refused(toy_spec, timeout_ms):
    with pytest.raises(ValueError, match="timeout_ms must be a finite number above 0"):
        RankingClient("127.0.0.1:1", toy_spec, timeout_ms=timeout_ms)


def test_a_wrong_request_is_refused_before_anything_is_sent(toy_spec, free_port):
    with (
        RankingClient(f"127.0.0.1:{free_port}", toy_spec, timeout_ms=600_000.0) as client,
        pytest.raises(InvalidRequestError),
    ):
        client.rank(request({"nope": 1}))


def test_a_graph_that_names_two_fingerprints_has_met_another_spec(toy_spec):
    text = f"assertion failed: [spec fingerprint mismatch: request] [{toy_spec.fingerprint}] [model] [0123456789abcdef]"
    error = failing_with(toy_spec, grpc.StatusCode.INVALID_ARGUMENT, text)
    assert isinstance(error, SpecMismatchError)
    assert (error.client_fingerprint, error.model_fingerprint) == (
        toy_spec.fingerprint,
        "0123456789abcdef",
    )
    assert toy_spec.fingerprint in str(error)
    assert "0123456789abcdef" in str(error)


def test_what_differs_from_the_models_spec_is_named(toy_spec):
    theirs = toy_spec.model_copy(
        update={
            "fields": {
                **{name: field for name, field in toy_spec.fields.items() if name != "hour"},
                "quality": toy_spec.fields["quality"].model_copy(update={"maximum": 2.0}),
            }
        }
    )
    text = (
        f"assertion failed: [spec fingerprint mismatch: request] [{toy_spec.fingerprint}] [model] "
        f"[{theirs.fingerprint}] [parts of the model's spec] [{parts_text(theirs)}]"
    )
    error = failing_with(toy_spec, grpc.StatusCode.INVALID_ARGUMENT, text)
    assert isinstance(error, SpecMismatchError)
    assert error.model_fingerprint == theirs.fingerprint
    assert error.differences == [
        "fields.quality differs in its settings",
        "fields.hour is in the client's spec only",
    ]
    assert "; ".join(error.differences) in str(error)


def test_after_a_check_the_client_warns_once_of_fields_that_training_nearly_always_had(
    toy_spec, answer_by_quality, caplog
):
    def predict(request, _):
        if request.model_spec.signature_name == "rank":
            return answer_by_quality(request)
        assert (request.model_spec.signature_name, len(request.inputs)) == ("field_presence", 0)
        answer = tf_serving_api.PredictResponse()
        answer.outputs["field"].string_val.extend([b"user_id", b"quality", b"hour"])
        answer.outputs["present_share"].CopyFrom(float_tensor([1.0, 1.0, 0.5], [3]))
        return answer

    def metadata(*_):
        answer = tf_serving_api.GetModelMetadataResponse()
        signatures = tf_serving_api.SignatureDefMap()
        defaults = signatures.signature_def["rank"].defaults
        defaults["spec_fingerprint"].string_val.append(toy_spec.fingerprint.encode())
        signatures.signature_def["field_presence"].SetInParent()
        answer.metadata["signature_def"].Pack(signatures)
        return answer

    request = RankingRequest(candidates=[Candidate(fields={"quality": 1.0})])
    with (
        answering(predict, metadata) as target,
        RankingClient(target, toy_spec, timeout_ms=600_000.0) as client,
    ):
        client.rank(request)
        assert caplog.records == []  # nothing is known yet
        client.check()
        client.rank(request)
        client.rank(request)
    [warning] = [record.getMessage() for record in caplog.records]
    assert "leaves out fields that nearly every training example had: user_id (100%)" in warning


def test_fields_that_a_request_only_names_come_from_side_tables(toy_spec_text, answer_by_quality):
    spec = parse_spec(
        toy_spec_text.replace(
            'logs: {exposures: {path: "*.jsonl", format: jsonl}',
            'logs: {exposures: {path: "*.jsonl", format: jsonl}, tables: {videos: {path: v, format: csv, key: video}}',
        ).replace(
            "quality: {side: item, kind: numeric}",
            "quality: {side: item, kind: numeric, table: videos}",
        )
    )
    tables = SideTables(spec, {"videos": {"v1": {"quality": 0.25}, "v2": {"quality": 0.75}}})
    asked = [Candidate(fields={"video_id": video}) for video in ("v1", "v2")]
    with (
        answering(lambda request, _: answer_by_quality(request)) as target,
        RankingClient(target, spec, timeout_ms=600_000.0, tables=tables) as client,
    ):
        ranked = client.rank(RankingRequest(candidates=asked))
    assert (ranked[0].rank, [one.rank for one in ranked[1:]]) == (1, [2])
    assert [(one.candidate, one.scores["click"]) for one in ranked] == [
        (asked[1], 0.75),
        (asked[0], 0.25),
    ]


def test_a_check_tells_what_differs_although_no_request_was_made(toy_spec):
    quality = toy_spec.fields["quality"].model_copy(update={"maximum": 2.0})
    theirs = toy_spec.model_copy(update={"fields": {**toy_spec.fields, "quality": quality}})

    def refuse(_, context):
        context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"mismatch [{parts_text(theirs)}]")

    def metadata(*_):
        answer = tf_serving_api.GetModelMetadataResponse()
        signatures = tf_serving_api.SignatureDefMap()
        signature = signatures.signature_def["rank"]
        signature.defaults["spec_fingerprint"].string_val.append(theirs.fingerprint.encode())
        for name in theirs.fields:
            signature.inputs[name].name = name
        for name in theirs.tasks:
            signature.outputs[name].name = name
        answer.metadata["signature_def"].Pack(signatures)
        return answer

    with (
        answering(refuse, metadata) as target,
        RankingClient(target, toy_spec, timeout_ms=600_000.0) as client,
        pytest.raises(SpecMismatchError) as mismatch,
    ):
        client.check()
    assert mismatch.value.differences == ["fields.quality differs in its settings"]


def knowing(fingerprint, sent):
    """A model of an earlier version: it knows one fingerprint, and names it in its refusal."""

    def predict(received, context):
        [given] = received.inputs["spec_fingerprint"].string_val
        sent.append(given.decode())
        if given.decode() != fingerprint:
            context.abort(
                grpc.StatusCode.INVALID_ARGUMENT,
                f"assertion failed: [spec fingerprint mismatch: request] [{given.decode()}] "
                f"[model] [{fingerprint}]",
            )
        return response(click=[0.1] * 3, like=[0.4] * 3, ranking_score=[1.0] * 3)

    return predict


def test_a_model_of_an_earlier_version_is_asked_by_its_own_fingerprint(toy_spec):
    old, new, sent = toy_spec.earlier_fingerprint, toy_spec.fingerprint, []
    with (
        answering(knowing(old, sent)) as target,
        RankingClient(target, toy_spec, timeout_ms=600_000.0) as client,
    ):
        assert len(client.rank(THREE)) == len(client.rank(THREE)) == 3
    assert sent == [new, old, old]


def test_a_reordered_spec_is_no_other_spec(toy_spec):
    reordered = toy_spec.model_copy(update={"fields": dict(reversed(toy_spec.fields.items()))})
    with (
        answering(knowing(toy_spec.fingerprint, [])) as target,
        RankingClient(target, reordered, timeout_ms=600_000.0) as client,
    ):
        assert len(client.rank(THREE)) == 3


def test_a_request_refused_for_its_inputs_is_traced_to_another_spec(toy_spec):
    """A model with other fields refuses the inputs before its graph can compare fingerprints."""

    def metadata(*_):
        answer = tf_serving_api.GetModelMetadataResponse()
        signatures = tf_serving_api.SignatureDefMap()
        signatures.signature_def["rank"].defaults["spec_fingerprint"].string_val.append(
            b"fedcba9876543210"
        )
        answer.metadata["signature_def"].Pack(signatures)
        return answer

    error = failing_with(
        toy_spec, grpc.StatusCode.INVALID_ARGUMENT, "input size does not match signature", metadata
    )
    assert isinstance(error, SpecMismatchError)
    assert error.model_fingerprint == "fedcba9876543210"


pytest_tensorflow = pytest.mark.tensorflow


@pytest.fixture
def target(serve, push):
    push(1)
    return serve().target


@pytest_tensorflow
def test_a_served_model_ranks_as_worked_by_hand(target, toy_spec):
    with RankingClient(target, toy_spec, timeout_ms=600_000.0) as client:
        ranked = client.rank(
            request(
                {"video_id": "plain", "quality": 0.5, "tags": ["news"]},
                {
                    "video_id": "music",
                    "quality": 0.4,
                    "tags": ["pop", "music"],
                    "duration_s": 10 * (math.e - 1),
                },
                {"video_id": "nothing known"},
                user={"user_id": "fan"},
            )
        )
    # click^1 · like^0.5 · log1p(duration_s / 10)^2, without the last where the duration is missing:
    # plain 0.5 · 0.25^0.5 = 0.25, music 0.4 · 1 · log(e)^2 = 0.4, nothing known 0.5 · 0.25^0.5 =
    # 0.25
    assert [one.candidate.fields["video_id"] for one in ranked] == [
        "music",
        "plain",
        "nothing known",
    ]
    assert [one.ranking_score for one in ranked] == pytest.approx([0.4, 0.25, 0.25], rel=1e-5)
    assert ranked.candidates[0].scores == pytest.approx({"click": 0.4, "like": 1.0})
    assert ranked.model_version == 1


@pytest_tensorflow
def test_a_weight_of_the_request_replaces_the_models(target, toy_spec):
    received = request(
        {"quality": 0.5},
        {"quality": 0.9, "tags": ["music"]},
        user={"user_id": "fan"},
        weights={"like": -1.0},
    )
    with RankingClient(target, toy_spec, timeout_ms=600_000.0) as client:
        ranked = client.rank(received)
    # 0.5 · 0.25^-1 = 2, 0.9 · 1^-1 = 0.9
    assert [one.ranking_score for one in ranked] == pytest.approx([2.0, 0.9], rel=1e-5)


@pytest_tensorflow
def test_another_spec_is_refused_by_the_graph_itself(target, other_spec, toy_spec):
    with (
        RankingClient(target, other_spec, timeout_ms=600_000.0) as client,
        pytest.raises(SpecMismatchError) as mismatch,
    ):
        client.rank(THREE)
    assert (mismatch.value.client_fingerprint, mismatch.value.model_fingerprint) == (
        other_spec.fingerprint,
        toy_spec.fingerprint,
    )
    assert isinstance(mismatch.value.__cause__, RequestRefusedError)


@pytest_tensorflow
def test_check_names_the_version_and_the_weights_in_force(target, toy_spec):
    with RankingClient(target, toy_spec, timeout_ms=600_000.0) as client:
        served = client.check()
    assert (served.name, served.version, served.weights) == (
        "toy",
        1,
        {"click": 1.0, "like": 0.5, "duration": 2.0},
    )


@pytest_tensorflow
def test_a_version_asked_by_its_number_answers_though_a_newer_one_is_served(serve, push, toy_spec):
    from serving.model_server.versions.version import VersionPolicy

    push(1), push(2)
    target = serve(policy=VersionPolicy.ALL).target
    for version in (1, 2):
        with RankingClient(target, toy_spec, version=version, timeout_ms=600_000.0) as client:
            assert (client.rank(THREE).model_version, client.check().version) == (version, version)
    with (
        RankingClient(target, toy_spec, version=3, timeout_ms=600_000.0) as client,
        pytest.raises(ModelNotFoundError, match="Specific\\(toy, 3\\)"),
    ):
        client.rank(THREE)


def test_a_label_and_a_version_contradict_each_other(toy_spec):
    with pytest.raises(
        ValueError, match="give a label or a version, not both; received 'canary' and 3"
    ):
        RankingClient("127.0.0.1:1", toy_spec, label="canary", version=3)


@pytest_tensorflow
def test_check_refuses_another_spec(target, other_spec, toy_spec):
    with (
        RankingClient(target, other_spec, timeout_ms=600_000.0) as client,
        pytest.raises(SpecMismatchError, match=toy_spec.fingerprint),
    ):
        client.check()


@pytest_tensorflow
def test_a_model_that_is_not_served_is_named(target, toy_spec):
    with (
        RankingClient(target, toy_spec, model_name="nope", timeout_ms=600_000.0) as client,
        pytest.raises(ModelNotFoundError, match="Latest\\(nope\\)"),
    ):
        client.rank(THREE)


def test_check_refuses_a_model_that_fulcrum_did_not_export(toy_spec):
    def metadata(*_):
        answer = tf_serving_api.GetModelMetadataResponse()
        answer.metadata["signature_def"].Pack(tf_serving_api.SignatureDefMap())
        return answer

    with (
        answering(None, metadata) as target,
        RankingClient(target, toy_spec, timeout_ms=600_000.0) as client,
        pytest.raises(UnusableModelError, match="no signature 'rank'"),
    ):
        client.check()


def test_every_error_of_the_tree_is_a_ranking_error():
    import serving.errors

    errors = [
        kind
        for kind in vars(serving.errors).values()
        if isinstance(kind, type) and kind.__module__ == "serving.errors"
    ]
    assert len(errors) == 12
    assert all(issubclass(kind, RankingError) for kind in errors)
    assert all(f"{kind.__name__}" in serving.errors.__doc__ for kind in errors)
