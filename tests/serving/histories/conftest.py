"""A spec with histories, and stores in LMDB and in a Redis server of the tests' own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from feature_spec.loading import parse_spec
from feature_spec.spec import FeatureSpec
from serving.histories.lmdb_store import LmdbHistoryStore
from tests.serving.histories import redis_server
from tests.serving.histories.reference import SPEC


@pytest.fixture(scope="session")
def spec() -> FeatureSpec:
    return parse_spec(SPEC)


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a Redis server of the tests' own."""
    command = redis_server.program()
    if command is None:
        pytest.skip("no redis-server on this machine")
    with redis_server.running(command, tmp_path_factory.mktemp("redis")) as (url, _):
        yield url


@pytest.fixture(params=["lmdb", "redis"])
def open_store(
    request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[Callable[..., LmdbHistoryStore]]:
    """Opens the one store of a test, of the first kind, then of the second; closes it at the end."""
    opened = []

    def opener(spec: FeatureSpec, name: str = "store", **settings):
        settings = {"exact_for_s": None, **settings}
        if request.param == "lmdb":
            store = LmdbHistoryStore(tmp_path / name, spec, **settings)
        else:
            from serving.histories.redis_store import RedisHistoryStore

            url = request.getfixturevalue("redis_url")
            store = RedisHistoryStore(url, spec, namespace=f"{tmp_path}/{name}", **settings)
        opened.append(store)
        return store

    yield opener
    for store in opened:
        store.close()
