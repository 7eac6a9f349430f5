"""Kills, several writers and broken servers: nothing is lost or doubled, whatever is repeated."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading

import pytest

from serving.histories.lmdb_store import LmdbHistoryStore
from serving.histories.publishing import publish
from serving.histories.store import HistoryStoreError
from tests.serving.histories import redis_server
from tests.serving.histories.reference import (
    BEGIN_US,
    answer,
    event_of,
    expected_features,
    random_exposures,
    write_state,
)
from tests.wheel import REPOSITORY

LINES = random_exposures(11, number=150)
END_US = BEGIN_US + 200_000_000_000
RECORDER = """
import sys
from pathlib import Path
from feature_spec.loading import parse_spec
from serving.histories.lmdb_store import LmdbHistoryStore
from tests.serving.histories.reference import SPEC, event_of, random_exposures

store = LmdbHistoryStore(Path(sys.argv[1]), parse_spec(SPEC), exact_for_s=None)
for number, line in enumerate(random_exposures(11, number=150)):
    if number % int(sys.argv[2]) == int(sys.argv[3]):
        store.record(event_of(line, number))
        print(number, flush=True)
"""


def recorder(folder, every=1, first=0):
    return subprocess.Popen(
        [sys.executable, "-c", RECORDER, folder, str(every), str(first)],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
    )


def assert_holds_all(store):
    for line in LINES[::9]:
        assert answer(store, line, END_US) == expected_features(LINES, line, END_US)


@pytest.mark.slow
def test_a_killed_recorder_leaves_whole_events_and_can_record_all_again(spec, tmp_path):
    for killed_after in (1, 40, 80):
        process = recorder(tmp_path / "store")
        for line in process.stdout:
            if int(line) >= killed_after:
                break
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
    store = LmdbHistoryStore(tmp_path / "store", spec, exact_for_s=None)
    known = len(list(store.database.items(b"d")))
    assert known >= 80
    # What the store holds is what its ids say, no more and no less.
    before = LINES[:known]
    assert answer(store, LINES[0], END_US) == expected_features(before, LINES[0], END_US)
    counts = store.record_all(event_of(line, number) for number, line in enumerate(LINES))
    assert (counts.recorded, counts.repeated) == (len(LINES) - known, known)
    assert_holds_all(store)
    store.close()


@pytest.mark.slow
def test_several_processes_write_one_file(spec, tmp_path):
    LmdbHistoryStore(tmp_path / "store", spec).close()
    processes = [recorder(tmp_path / "store", 2, first) for first in range(2)]
    for process in processes:
        process.communicate()
        assert process.returncode == 0
    store = LmdbHistoryStore(tmp_path / "store", spec, readonly=True)
    assert_holds_all(store)
    store.close()


def test_several_threads_write_one_store_and_a_state_is_published_meanwhile(
    spec, open_store, tmp_path
):
    store = open_store(spec)
    early = [line for line in LINES if line["time_ms"] <= LINES[70]["time_ms"]]
    write_state(tmp_path / "state", spec, early)
    failed = []

    def record(first):
        try:
            for number in range(first, len(LINES), 3):
                store.record(event_of(LINES[number], number))
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=record, args=(first,)) for first in range(3)]
    for thread in threads:
        thread.start()
    publish(store, tmp_path / "state")
    for thread in threads:
        thread.join()
    assert failed == []
    assert_holds_all(store)


def test_an_event_is_not_lost_if_another_thread_publishes_while_it_is_recorded(
    spec, open_store, tmp_path, monkeypatch
):
    store = open_store(spec)
    early = [line for line in LINES if line["time_ms"] <= LINES[70]["time_ms"]]
    write_state(tmp_path / "state", spec, early)
    store.record_all(event_of(line, number) for number, line in enumerate(LINES[:-1]))
    read, calls = store.database.read, []

    def interrupted(keys):
        calls.append(keys)
        if len(calls) == 1:
            publish(store, tmp_path / "state")
        return read(keys)

    monkeypatch.setattr(store.database, "read", interrupted)
    assert store.record(event_of(LINES[-1], len(LINES) - 1))
    monkeypatch.undo()
    assert_holds_all(store)
    last = LINES[-1]
    assert answer(store, last, END_US) == expected_features(LINES, last, END_US)


def test_an_interrupted_publication_leaves_the_old_state_and_can_be_repeated(
    spec, open_store, tmp_path, monkeypatch
):
    store = open_store(spec)
    store.record_all(event_of(line, number) for number, line in enumerate(LINES))
    write_state(tmp_path / "state", spec, LINES)
    commit = store.database.commit
    monkeypatch.setattr(store, "_describe", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        publish(store, tmp_path / "state")
    monkeypatch.undo()
    assert store.database.commit == commit
    assert_holds_all(store)
    publish(store, tmp_path / "state")
    assert_holds_all(store)


def test_a_full_file_is_told_and_loses_nothing(spec, tmp_path):
    store = LmdbHistoryStore(tmp_path / "store", spec, exact_for_s=None, max_bytes=256 * 1024)
    with pytest.raises(
        HistoryStoreError, match="full at 262,144 bytes: open it with more max_byte"
    ):
        store.record_all(event_of(line, n) for n, line in enumerate(random_exposures(1, 3000)))
    store.close()
    store = LmdbHistoryStore(tmp_path / "store", spec, exact_for_s=None)
    store.record_all(event_of(line, number) for number, line in enumerate(LINES))
    assert store.features({}, {}, [], END_US).newest_us > 0
    store.close()


def test_a_redis_server_that_is_gone_is_told_with_its_address(spec, tmp_path):
    from serving.histories.redis_store import RedisHistoryStore

    command = redis_server.program()
    if command is None:
        pytest.skip("no redis-server on this machine")
    with redis_server.running(command, tmp_path) as (url, server):
        store = RedisHistoryStore(url, spec)
        store.record(event_of(LINES[0], 0))
        server.kill()
        server.wait()
        with pytest.raises(HistoryStoreError, match=r"redis://127\.0\.0\.1:\d+/0 \(fulcrum:toy"):
            answer(store, LINES[0], END_US)
        with pytest.raises(HistoryStoreError):
            store.record(event_of(LINES[1], 1))
        store.close()


def test_a_folder_without_a_store_is_named_with_what_makes_one(spec, tmp_path):
    (tmp_path / "empty").mkdir()
    for folder in ("empty", "nowhere"):
        with pytest.raises(HistoryStoreError, match=f"{folder}: holds no history store; `fulcrum"):
            LmdbHistoryStore(tmp_path / folder, spec, readonly=True)
    assert not (tmp_path / "nowhere").exists()
