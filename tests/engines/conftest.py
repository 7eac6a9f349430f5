"""Engines that the tests of this folder share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.engines.catalogue import require
from tests.engines.flink_cluster import FlinkCluster


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FlinkCluster]:
    """Two task managers, each with a pool of Python workers."""
    require("flink", "job_server", "boot")
    with FlinkCluster(tmp_path_factory.mktemp("cluster")) as running:
        yield running
