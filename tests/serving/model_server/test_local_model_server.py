"""The running server: status and metadata, version swaps under load, draining, and its port."""

from __future__ import annotations

import shutil
import threading
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest
from hypothesis import settings

CHANGES = 50 if settings().max_examples >= 20_000 else 10

pytestmark = pytest.mark.tensorflow


@pytest.fixture
def api():
    """Message classes by name."""
    from tensorflow_serving.apis import get_model_metadata_pb2, get_model_status_pb2, predict_pb2

    class Api:
        Predict = predict_pb2.PredictRequest
        Status = get_model_status_pb2.GetModelStatusRequest
        Metadata = get_model_metadata_pb2.GetModelMetadataRequest
        SignatureDefMap = get_model_metadata_pb2.SignatureDefMap

    return Api


def doubled(api, rows=3):
    import numpy as np

    request = api.Predict()
    request.model_spec.name = "toy"
    request.inputs["x"].dtype = 1
    request.inputs["x"].tensor_shape.dim.add(size=rows)
    request.inputs["x"].tensor_content = np.ones(rows, np.float32).tobytes()
    return request


def slow(api, rounds):
    request = api.Predict()
    request.model_spec.name, request.model_spec.signature_name = "toy", "slow"
    request.inputs["rounds"].dtype = 3
    request.inputs["rounds"].int_val.append(rounds)
    return request


def refused(call, *arguments):
    with pytest.raises(grpc.RpcError) as refusal:
        call(*arguments)
    return refusal.value.code().name, refusal.value.details()


def test_an_empty_root_is_answered_with_not_found_until_a_version_appears(
    serve, stubs, api, push, eventually
):
    server = serve()
    prediction, model = stubs(server.target)
    status = api.Status(model_spec={"name": "toy"})
    assert refused(model.GetModelStatus, status) == (
        "NOT_FOUND",
        "Could not find any versions of model toy",
    )
    assert refused(prediction.Predict, doubled(api)) == (
        "NOT_FOUND",
        "Servable not found for request: Latest(toy)",
    )
    push(1)
    eventually(
        lambda: server.models.named("toy") and server.models.named("toy").available_versions(),
        "version 1 is served",
    )
    assert prediction.Predict(doubled(api)).model_spec.version.value == 1


def test_status_lists_versions_newest_first_with_the_error_of_a_broken_one(serve, stubs, api, push):
    push(1), push(2, break_it=lambda folder: (folder / "saved_model.pb").unlink())
    _, model = stubs(serve().target)
    newest, older = model.GetModelStatus(
        api.Status(model_spec={"name": "toy"})
    ).model_version_status
    assert (newest.version, newest.state, newest.status.error_code) == (2, newest.END, 5)
    assert newest.status.error_message.startswith("Could not find SavedModel")
    assert (older.version, older.state, older.status.error_code, older.status.error_message) == (
        1,
        older.AVAILABLE,
        0,
        "",
    )


def test_status_of_one_version_is_only_its_own(serve, stubs, api, push):
    push(1), push(2)
    _, model = stubs(serve().target)
    two = {"name": "toy", "version": {"value": 2}}
    assert [
        status.version
        for status in model.GetModelStatus(api.Status(model_spec=two)).model_version_status
    ] == [2]


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({}, ("NOT_FOUND", "Could not find any versions of model ")),
        ({"name": "q"}, ("NOT_FOUND", "Could not find any versions of model q")),
        (
            {"name": "toy", "version": {"value": 7}},
            ("NOT_FOUND", "Could not find version 7 of model toy"),
        ),
        (None, ("INVALID_ARGUMENT", "Missing ModelSpec")),
    ],
)
def test_status_of_what_is_not_there_is_refused(serve, stubs, api, push, spec, expected):
    push(1)
    _, model = stubs(serve().target)
    assert refused(model.GetModelStatus, api.Status(model_spec=spec)) == expected


def test_metadata_holds_every_signature_with_its_defaults(serve, stubs, api, push):
    push(1)
    prediction, _ = stubs(serve().target)
    request = api.Metadata(model_spec={"name": "toy"}, metadata_field=["signature_def"])
    response = prediction.GetModelMetadata(request)
    signatures = api.SignatureDefMap()
    assert response.metadata["signature_def"].Unpack(signatures)
    assert (response.model_spec.name, response.model_spec.version.value) == ("toy", 1)
    assert {"serving_default", "rank", "slow"} <= set(signatures.signature_def)
    assert list(signatures.signature_def["serving_default"].defaults["weight"].float_val) == [2.0]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, ("INVALID_ARGUMENT", "Missing ModelSpec")),
        (
            {"model_spec": {"name": "toy"}},
            (
                "INVALID_ARGUMENT",
                "GetModelMetadataRequest must specify at least one metadata_field",
            ),
        ),
        (
            {"model_spec": {"name": "q"}, "metadata_field": ["nope"]},
            ("INVALID_ARGUMENT", "Metadata field nope is not supported"),
        ),
        (
            {"model_spec": {"name": "q"}, "metadata_field": ["signature_def"]},
            ("NOT_FOUND", "Servable not found for request: Latest(q)"),
        ),
    ],
)
def test_metadata_requests_are_checked_in_order(serve, stubs, api, push, fields, expected):
    push(1)
    prediction, _ = stubs(serve().target)
    assert refused(prediction.GetModelMetadata, api.Metadata(**fields)) == expected


def test_no_request_fails_during_swaps_and_each_answer_is_of_one_version(
    serve, stubs, api, push, root, eventually
):
    """Versions come, every fifth broken in one of three ways, and at last one goes, under four clients that hardly pause.

    There are ten changes, and fifty with --hypothesis-profile=thorough.
    """
    push(1)
    server = serve()
    model = server.models.named("toy")
    sources = {1: 1}
    stop = threading.Event()

    def hammer():
        prediction, _ = stubs(server.target)
        seen = set()
        while not stop.wait(0.002):
            response = prediction.Predict(doubled(api), timeout=600.0)
            version = response.model_spec.version.value
            source = sources[version]
            # product = 1 · 2 · version of the exported model
            assert list(response.outputs["version"].float_val) == [source] * 3
            assert list(response.outputs["product"].float_val) == [2.0 * source] * 3
            seen.add(version)
        return seen

    with ThreadPoolExecutor(4) as pool:
        clients = [pool.submit(hammer) for _ in range(4)]
        try:
            for number in range(2, CHANGES + 2):
                source = number % 3 + 1
                if number % 5:
                    sources[number] = source  # known before it can answer
                    push(source, number=number)
                    eventually(
                        lambda number=number: model.available_versions() == [number],
                        f"{number} is served",
                    )
                else:
                    push(
                        source,
                        number=number,
                        break_it=[remove_model_file, truncate_variables, fail_warm_up][
                            number // 5 % 3
                        ],
                    )
                    eventually(lambda: model.statuses()[0].error, f"{number} is given up")
                    assert model.available_versions() == [number - 1]
            newest = model.available_versions()[0]
            shutil.rmtree(root / "serving_model" / str(newest))
            eventually(
                lambda: newest not in model.available_versions() != [], "an older one is back"
            )
        finally:
            stop.set()
        seen = set().union(*(client.result() for client in clients))
    assert seen == sources.keys()


def remove_model_file(folder):
    (folder / "saved_model.pb").unlink()


def truncate_variables(folder):
    data = next((folder / "variables").glob("variables.data-*"))
    data.write_bytes(data.read_bytes()[:2])


def fail_warm_up(folder):
    (folder / "assets.extra" / "tf_serving_warmup_requests").write_bytes(b"no record" * 9)


def test_a_request_in_flight_is_answered_before_the_server_stops(
    serve, stubs, api, push, gate, eventually
):
    push(1)
    server = serve()
    prediction, _ = stubs(server.target)
    prediction.Predict(doubled(api))
    gate.close()
    answer = prediction.Predict.future(slow(api, 3))
    version = server.models.named("toy")._versions[1]
    eventually(lambda: version.requests_in_flight, "the request is taken on")
    stopping = threading.Thread(target=server.stop, kwargs={"drain_s": 600.0})
    stopping.start()
    eventually(server._pool.refusal, "the server drains")
    gate.open()
    assert list(answer.result().outputs["rounds"].int_val) == [3]
    stopping.join()
    assert refused(prediction.Predict, doubled(api))[0] == "UNAVAILABLE"


def test_a_port_in_use_is_refused(serve, root):
    from serving.model_server.server import LocalModelServer, PortError

    server = serve()
    with pytest.raises(PortError, match=f"cannot listen on 127.0.0.1:{server.port}"):
        LocalModelServer([], port=server.port)


def test_a_session_runs_requests_in_their_own_threads_or_over_as_many_as_asked_for():
    from serving.model_server.versions.saved_model import session_config

    own, four, all_cores = (session_config(threads) for threads in (1, 4, 0))
    assert (own.intra_op_parallelism_threads, own.inter_op_parallelism_threads) == (1, -1)
    assert (four.intra_op_parallelism_threads, four.inter_op_parallelism_threads) == (4, 0)
    assert (all_cores.intra_op_parallelism_threads, all_cores.inter_op_parallelism_threads) == (
        0,
        0,
    )


def test_requests_in_their_own_threads_get_the_same_answers_at_one_time(root, stubs, api, push):
    from serving.model_server.server import LocalModelServer
    from serving.model_server.versions.served_model import ServedModel

    push(1)
    with (
        LocalModelServer([ServedModel(root)], port=0, intra_op_threads=1) as server,
        ThreadPoolExecutor(8) as clients,
    ):
        prediction, _ = stubs(server.target)
        answers = list(
            clients.map(lambda rows: prediction.Predict(doubled(api, rows)), range(1, 33))
        )
    products = [list(answer.outputs["product"].float_val) for answer in answers]
    assert products == [[2.0] * rows for rows in range(1, 33)]
