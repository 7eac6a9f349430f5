"""The request log: what is in it, how much of it, and that nothing is lost without being counted."""

from __future__ import annotations

import logging
import shutil
import struct
import threading
import time
from pathlib import Path

import pytest

from serving import tf_serving_api
from serving.client.ranking_client import RankingClient
from serving.client.request_log import RequestLog, RequestLogCounts
from serving.client.tfrecord_writer import TFRecordWriter
from serving.client.types import Candidate, RankingRequest


def predict_request(text="toy"):
    message = tf_serving_api.PredictRequest()
    message.model_spec.name = text
    return message.SerializeToString()


PAYLOAD, RESPONSE = predict_request(), tf_serving_api.PredictResponse()


def records(path: Path) -> list[bytes]:
    """The records of a file, whose checksums the test with TensorFlow's reader looks after."""
    content, found = path.read_bytes(), []
    while content:
        (length,) = struct.unpack("<Q", content[:8])
        found.append(content[12 : 12 + length])
        content = content[16 + length :]
    return found


def logged(folder: Path) -> list:
    return [
        tf_serving_api.PredictionLog.FromString(record)
        for path in sorted(folder.glob("*.tfrecord"))
        for record in records(path)
    ]


def test_a_record_is_framed_with_masked_checksums(tmp_path):
    with TFRecordWriter(tmp_path / "file") as file:
        file.write(b"123456789")
    # CRC-32C of "123456789" is e3069283, its standard check value; rotated right by 15 bits
    # 2507c60d, plus a282ead8 c78ab0e5.
    content = (tmp_path / "file").read_bytes()
    assert content[-4:] == struct.pack("<I", 0xC78AB0E5)
    assert (content[:8], content[12:-4], len(content)) == (
        struct.pack("<Q", 9),
        b"123456789",
        file.size_bytes,
    )


@pytest.mark.tensorflow
def test_tensorflow_reads_what_is_written(tmp_path):
    import tensorflow as tf

    texts = [b"", b"a", bytes(range(256)) * 500]
    with TFRecordWriter(tmp_path / "file") as file:
        for text in texts:
            file.write(text)
    assert [record.numpy() for record in tf.data.TFRecordDataset(str(tmp_path / "file"))] == texts


def test_a_record_holds_request_response_version_and_rate(
    scripted, answer_by_quality, rank_once, toy_spec, tmp_path
):
    ranker = scripted(lambda number, request, context: answer_by_quality(request, 7))
    with RequestLog(tmp_path, sampling_rate=1.0) as log:
        request = RankingRequest(candidates=[Candidate(fields={"quality": 0.5})])
        rank_once(ranker.target, toy_spec, request, request_log=log)
    (record,) = logged(tmp_path)
    assert record.predict_log.request == ranker.requests[0]
    assert record.predict_log.response == answer_by_quality(ranker.requests[0], 7)
    assert record.log_metadata.model_spec == record.predict_log.response.model_spec
    assert record.log_metadata.sampling_config.sampling_rate == 1.0
    assert log.counts == RequestLogCounts(seen=1, written=1)


def test_parts_are_logged_without_the_version_that_they_were_pinned_to(
    scripted, answer_by_quality, toy_spec, tmp_path
):
    """So that a log warms up, or is replayed against, any version."""

    def script(number, request, context):
        return answer_by_quality(
            request, request.model_spec.version.value or 3 + (len(ranker.requests) == 2)
        )

    ranker = scripted(script)
    request = RankingRequest(candidates=[Candidate(fields={"quality": 0.5})] * 2)
    with (
        RequestLog(tmp_path, sampling_rate=1.0) as log,
        RankingClient(
            ranker.target, toy_spec, max_candidates=1, request_log=log, timeout_ms=600_000.0
        ) as client,
    ):
        version = client.rank(request).model_version
    assert [
        record.predict_log.response.model_spec.version.value for record in logged(tmp_path)
    ] == [version] * 2
    assert not any(
        record.predict_log.request.model_spec.HasField("version") for record in logged(tmp_path)
    )


def test_failed_calls_are_not_logged(free_port, toy_spec, tmp_path):
    from serving.errors import ServerUnavailableError

    with (
        RequestLog(tmp_path, sampling_rate=1.0) as log,
        RankingClient(
            f"127.0.0.1:{free_port}", toy_spec, request_log=log, timeout_ms=600_000.0
        ) as client,
        pytest.raises(ServerUnavailableError),
    ):
        client.rank(RankingRequest(candidates=[Candidate(fields={})]))
    assert log.counts == RequestLogCounts()
    assert not list(tmp_path.iterdir())


def sample(folder, ids, **settings):
    """The ids that a log takes."""
    with RequestLog(folder, queue_size=len(ids), max_file_records=len(ids), **settings) as log:
        for number, one in enumerate(ids):
            log.offer(one, [predict_request(str(number))], [RESPONSE])
    assert log.counts.seen == len(ids) == log.counts.skipped + log.counts.written
    return {int(record.predict_log.request.model_spec.name) for record in logged(folder)}


def test_requests_with_ids_are_sampled_at_the_rate_and_alike_in_every_process(tmp_path):
    ids = [f"request {number}" for number in range(4000)]
    taken = sample(tmp_path / "a", ids, sampling_rate=0.25)
    # 1000 expected, with a standard deviation of sqrt(4000 · 0.25 · 0.75) = 27
    assert 1000 - 4 * 27 < len(taken) < 1000 + 4 * 27
    assert taken == sample(tmp_path / "b", ids, sampling_rate=0.25)
    assert taken != sample(tmp_path / "c", ids, sampling_rate=0.25, seed=1)
    # a larger sample holds the smaller one
    assert taken < sample(tmp_path / "d", ids, sampling_rate=0.5)


def test_requests_without_ids_are_drawn_at_the_rate_and_again_with_the_seed(tmp_path):
    ids = [None] * 4000
    taken = sample(tmp_path / "a", ids, sampling_rate=0.25, seed=5)
    assert 1000 - 4 * 27 < len(taken) < 1000 + 4 * 27
    assert taken == sample(tmp_path / "b", ids, sampling_rate=0.25, seed=5)


@pytest.mark.parametrize(("rate", "count"), [(0.0, 0), (1.0, 50)])
def test_rates_of_0_and_1_take_none_and_all(tmp_path, rate, count):
    assert len(sample(tmp_path, [None, "a"] * 25, sampling_rate=rate)) == count


def test_a_full_queue_drops_and_counts_and_never_waits(tmp_path, monkeypatch, eventually, caplog):
    go_on, entered, write = threading.Event(), threading.Event(), TFRecordWriter.write

    def slow_write(file, record):
        entered.set()
        assert go_on.wait(600.0)
        write(file, record)

    monkeypatch.setattr(TFRecordWriter, "write", slow_write)
    log = RequestLog(tmp_path, sampling_rate=1.0, queue_size=3)
    log.offer(None, [PAYLOAD], [RESPONSE])
    assert entered.wait(600.0)
    for _ in range(8):
        log.offer(None, [PAYLOAD], [RESPONSE])
    # one in the writer's hands, three in the queue, five of nine without a place
    assert (log.counts, log.counts.waiting) == (RequestLogCounts(seen=9, dropped=5), 4)
    go_on.set()
    with caplog.at_level(logging.WARNING):
        log.close()
    assert log.counts == RequestLogCounts(seen=9, dropped=5, written=4)
    assert "5 sampled messages were dropped" in caplog.text
    assert len(logged(tmp_path)) == 4


def test_what_is_offered_to_a_closed_log_is_counted_as_dropped(tmp_path):
    log = RequestLog(tmp_path, sampling_rate=1.0)
    log.close()
    log.close()
    log.offer(None, [PAYLOAD], [RESPONSE])
    assert log.counts == RequestLogCounts(seen=1, dropped=1)


def test_a_file_that_cannot_be_written_costs_its_records_and_is_tried_again(tmp_path, eventually):
    folder = tmp_path / "log"
    with RequestLog(folder, sampling_rate=1.0) as log:
        shutil.rmtree(folder)
        log.offer(None, [PAYLOAD], [RESPONSE])
        eventually(lambda: log.counts.failed == 1, "a failed record")
        folder.mkdir()
        log.offer(None, [PAYLOAD], [RESPONSE])
    assert log.counts == RequestLogCounts(seen=2, failed=1, written=1)
    assert len(logged(folder)) == 1


def test_a_write_that_fails_midway_leaves_the_file_unfinished_and_begins_another(
    tmp_path, monkeypatch, eventually
):
    write = TFRecordWriter.write

    def failing_write(file, record):
        if b"bad" in record:
            raise OSError(28, "No space left on device")
        write(file, record)

    monkeypatch.setattr(TFRecordWriter, "write", failing_write)
    with RequestLog(tmp_path, sampling_rate=1.0) as log:
        for text in ("good", "bad", "good again"):
            log.offer(None, [predict_request(text)], [RESPONSE])
    assert log.counts == RequestLogCounts(seen=3, written=2, failed=1)
    assert [record.predict_log.request.model_spec.name for record in logged(tmp_path)] == [
        "good again"
    ]
    (left,) = tmp_path.glob("*.part")
    assert len(records(left)) == 1


def test_a_folder_that_goes_while_a_file_is_open_does_not_end_the_log(tmp_path, eventually):
    folder = tmp_path / "log"
    with RequestLog(folder, sampling_rate=1.0, max_file_records=2) as log:
        log.offer(None, [PAYLOAD], [RESPONSE])
        eventually(lambda: log.counts.written == 1, "a record")
        shutil.rmtree(folder)
        log.offer(None, [PAYLOAD], [RESPONSE])
        eventually(lambda: log.counts.written == 2, "a second record")
        folder.mkdir()
        log.offer(None, [PAYLOAD], [RESPONSE])
    assert len(logged(folder)) == 1


def test_a_file_is_finished_at_its_number_of_records(tmp_path):
    with RequestLog(tmp_path, sampling_rate=1.0, max_file_records=2) as log:
        for _ in range(5):
            log.offer(None, [PAYLOAD], [RESPONSE])
    assert [len(records(path)) for path in sorted(tmp_path.iterdir())] == [2, 2, 1]


def test_a_file_is_finished_at_its_size(tmp_path):
    with RequestLog(tmp_path, sampling_rate=1.0, max_file_bytes=2500) as log:
        for _ in range(6):
            log.offer(None, [predict_request("x" * 1000)], [RESPONSE])
    # a record is a little over 1000 bytes, so that the third makes 2500
    assert [len(records(path)) for path in sorted(tmp_path.iterdir())] == [3, 3]


def test_a_file_that_is_not_finished_has_another_ending_and_what_came_so_far(tmp_path, eventually):
    with RequestLog(tmp_path, sampling_rate=1.0) as log:
        log.offer(None, [PAYLOAD], [RESPONSE])
        eventually(lambda: log.counts.written == 1, "a record")
        (open_file,) = tmp_path.iterdir()
        assert open_file.name.endswith(".tfrecord.part")
        assert len(records(open_file)) == 1
    assert [path.name for path in tmp_path.iterdir()] == [open_file.name.removesuffix(".part")]


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"sampling_rate": 1.1}, "sampling_rate must be from 0 to 1; received 1.1"),
        ({"sampling_rate": 0.5, "queue_size": 0}, "queue_size must be at least 1; received 0"),
        ({"sampling_rate": 0.5, "max_file_bytes": 0}, "max_file_bytes must be at least 1"),
        ({"sampling_rate": 0.5, "max_file_records": 0}, "max_file_records must be at least 1"),
    ],
)
def test_a_setting_that_is_none_is_refused(tmp_path, settings, text):
    with pytest.raises(ValueError, match=text):
        RequestLog(tmp_path, **settings)


@pytest.mark.tensorflow
def test_a_log_is_read_by_tensorflow_replayed_by_public_stubs_and_warms_up_the_next_version(
    serve, push, stubs, toy_spec, tmp_path, eventually
):
    import tensorflow as tf
    from tensorflow_serving.apis import prediction_log_pb2

    push(1)
    target = serve().target
    candidates = [
        Candidate(fields={"quality": 0.5, "duration_s": 3}),
        Candidate(fields={"tags": ["music"]}),
    ]
    with (
        RequestLog(tmp_path / "log", sampling_rate=1.0) as log,
        RankingClient(target, toy_spec, timeout_ms=600_000.0, request_log=log) as client,
    ):
        for user in ("fan", "other"):
            client.rank(RankingRequest(user={"user_id": user}, candidates=candidates))
    (file,) = (tmp_path / "log").glob("*.tfrecord")
    read = [
        prediction_log_pb2.PredictionLog.FromString(record.numpy())
        for record in tf.data.TFRecordDataset(str(file))
    ]
    prediction, _ = stubs(target)
    assert len(read) == 2
    for record in read:
        assert (
            prediction.Predict(record.predict_log.request, timeout=600.0)
            == record.predict_log.response
        )

    push(
        2,
        break_it=lambda folder: shutil.copy(
            file, folder / "assets.extra" / "tf_serving_warmup_requests"
        ),
    )
    with RankingClient(target, toy_spec, timeout_ms=600_000.0) as client:
        eventually(lambda: client.check().version == 2, "version 2 in service, warmed up")


def test_messages_that_are_written_while_the_log_is_closed_are_no_loss_to_warn_of(
    tmp_path, monkeypatch, caplog
):
    log = RequestLog(tmp_path, sampling_rate=1.0)
    may_write, write = threading.Event(), log._write

    def waiting_write(*item):
        assert may_write.wait(600.0)
        return write(*item)

    monkeypatch.setattr(log, "_write", waiting_write)
    log.offer(None, [PAYLOAD] * 2, [RESPONSE] * 2)
    closing = threading.Thread(target=log.close)
    closing.start()
    while not log._closed:
        time.sleep(0.001)
    may_write.set()
    closing.join()
    assert (log.counts.written, caplog.records) == (2, [])
