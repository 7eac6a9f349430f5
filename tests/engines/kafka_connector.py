"""Beam's expansion service with the Kafka connector, which is to run inside Flink's task managers."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.engines.flink_cluster import BEAM, JAVA
from tests.engines.ports import accepts, free_ports, wait_for

SERVICE = "sdks:java:io:expansion-service:shadowJar"


@contextlib.contextmanager
def running_expansion_service(folder: Path) -> Iterator[str]:
    """Run the service; yields the option for Beam that names it."""
    (port,) = free_ports(1)
    program = [
        "org.apache.beam.sdk.expansion.service.ExpansionService", str(port), "--javaClassLookupAllowlistFile=*",
        # Workers of Java are then threads of the task manager, which has the connector: no Docker.
        "--defaultEnvironmentType=EMBEDDED",
    ]  # fmt: skip
    with (folder / "expansion_service.log").open("wb") as log:
        service = subprocess.Popen(
            [*JAVA, "-Xmx384m", "-cp", str(BEAM), *program],
            stdout=log,
            stderr=log,
            stdin=subprocess.DEVNULL,
        )
    try:
        wait_for(lambda: accepts(port), {"expansion_service": service}, folder)
        yield f'beam_services={{"{SERVICE}": "localhost:{port}"}}'
    finally:
        service.kill()
        service.wait()
