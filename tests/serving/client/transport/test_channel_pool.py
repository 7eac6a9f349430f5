"""Connections of a client: several of them, encrypted, in one process."""

from __future__ import annotations

import os
import threading
from collections import Counter
from types import SimpleNamespace

import pytest
import trustme

from serving.client.ranking_client import RankingClient
from serving.client.tls import Tls
from serving.client.transport.channel_pool import ChannelPool
from serving.client.transport.policies import RetryPolicy
from serving.client.types import Candidate, RankingRequest
from serving.errors import ServerUnavailableError, TlsError

ONE = RankingRequest(candidates=[Candidate(fields={"quality": 0.25})])
NO_RETRIES = RetryPolicy(attempts=1)


@pytest.fixture
def answering(scripted, answer_by_quality):
    """Starts a server that answers everything."""
    return lambda credentials=None: scripted(
        lambda number, request, context: answer_by_quality(request), credentials
    )


@pytest.mark.parametrize("channels", [1, 3])
def test_each_channel_is_a_connection_and_has_its_turn(answering, toy_spec, channels):
    ranker = answering()
    with RankingClient(ranker.target, toy_spec, channels=channels, timeout_ms=600_000.0) as client:
        for _ in range(6):
            client.rank(ONE)
    assert list(Counter(ranker.peers).values()) == [6 // channels] * channels


def test_a_server_that_comes_back_is_found(
    answer_by_quality, toy_spec, scripted, free_port, eventually
):
    impatient = RetryPolicy(attempts=2, initial_backoff_ms=1.0)
    with RankingClient(
        f"127.0.0.1:{free_port}", toy_spec, retries=impatient, timeout_ms=600_000.0
    ) as client:

        def found():
            try:
                return len(client.rank(ONE)) == 1
            except ServerUnavailableError:
                return False

        assert not found()
        scripted(lambda number, request, context: answer_by_quality(request), port=free_port)
        eventually(found, "the server is found")


def test_a_lost_connection_is_tried_again_sooner_than_after_the_second_of_grpc_itself():
    class Library:
        """Remembers the options of the channels that it is asked for."""

        @staticmethod
        def insecure_channel(target, options):
            received.update(options)
            return SimpleNamespace(unary_unary=lambda *_, **__: None)

    received = {}
    ChannelPool(Library, "ranker:8500", count=1, credentials=None, options=[])
    assert received["grpc.initial_reconnect_backoff_ms"] == 100
    assert received["grpc.max_reconnect_backoff_ms"] == 2000


def test_threads_share_a_client(answering, toy_spec):
    ranker = answering()
    ranks = []
    with RankingClient(ranker.target, toy_spec, timeout_ms=600_000.0) as client:
        threads = [
            threading.Thread(target=lambda: ranks.extend(client.rank(ONE) for _ in range(25)))
            for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert [len(ranked) for ranked in ranks] == [1] * 200
    assert len(ranker.requests) == 200
    assert len(set(ranker.peers)) == 2


def test_a_client_refuses_to_work_in_a_fork(answering, toy_spec):
    ranker = answering()
    with RankingClient(ranker.target, toy_spec, timeout_ms=600_000.0) as client:
        child = os.fork()
        if child == 0:  # nothing here may return into pytest
            try:
                client.rank(ONE)
            except RuntimeError as error:
                os._exit(7 if "make a client in each process, after the fork" in str(error) else 8)
            finally:
                os._exit(9)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
        assert not ranker.requests
        assert len(client.rank(ONE)) == 1


@pytest.fixture
def secured(answering, server_credentials):
    """Starts a server with TLS; arguments go to `server_credentials`."""
    return lambda *name, **mutual: answering(server_credentials(*name, **mutual))


def test_a_server_with_tls_is_asked_over_tls(secured, rank_once, toy_spec, tls_files):
    ranker = secured()
    tls = Tls(root_certificates=tls_files["root_certificates"])
    assert len(rank_once(ranker.target, toy_spec, ONE, tls=tls, timeout_ms=600_000.0)) == 1


def test_a_server_that_wants_a_certificate_gets_the_clients(
    secured, rank_once, toy_spec, tls_files
):
    ranker = secured(mutual=True)
    assert (
        len(rank_once(ranker.target, toy_spec, ONE, tls=Tls(**tls_files), timeout_ms=600_000.0))
        == 1
    )
    with pytest.raises(ServerUnavailableError, match="both sides use TLS or neither does"):
        tls = Tls(root_certificates=tls_files["root_certificates"])
        rank_once(ranker.target, toy_spec, ONE, tls=tls, retries=NO_RETRIES, timeout_ms=600_000.0)


def test_a_server_of_another_authority_is_not_trusted(secured, rank_once, toy_spec, tmp_path):
    ranker = secured()
    trustme.CA().cert_pem.write_to_path(tmp_path / "other.pem")
    with pytest.raises(ServerUnavailableError):
        rank_once(
            ranker.target,
            toy_spec,
            ONE,
            tls=Tls(root_certificates=tmp_path / "other.pem"),
            retries=NO_RETRIES,
        )
    assert not ranker.requests


def test_the_name_in_the_certificate_may_be_another_than_the_targets(
    secured, rank_once, toy_spec, tls_files
):
    ranker = secured("ranker.example")
    roots = tls_files["root_certificates"]
    with pytest.raises(ServerUnavailableError):
        rank_once(
            ranker.target, toy_spec, ONE, tls=Tls(root_certificates=roots), retries=NO_RETRIES
        )
    named = Tls(root_certificates=roots, server_name="ranker.example")
    assert len(rank_once(ranker.target, toy_spec, ONE, tls=named, timeout_ms=600_000.0)) == 1


def test_tls_files_that_cannot_be_used_are_named_before_anything_is_sent(
    toy_spec, tls_files, tmp_path
):
    def client(**files):
        return RankingClient("localhost:1", toy_spec, tls=Tls(**files))

    with pytest.raises(TlsError, match=r"none\.pem: cannot be read: No such file"):
        client(root_certificates=tmp_path / "none.pem")
    (tmp_path / "text.pem").write_text("no certificate")
    with pytest.raises(TlsError, match=r"text\.pem: not a PEM file"):
        client(root_certificates=tmp_path / "text.pem")
    with pytest.raises(
        TlsError, match="a client certificate and its key come together; .* client_key=None"
    ):
        client(client_certificate=tls_files["client_certificate"])
