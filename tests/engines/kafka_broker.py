"""A Kafka broker of one node, with the topics and records that a test writes."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path

from tests.engines.catalogue import FOLDER, place
from tests.engines.ports import accepts, free_ports, wait_for

SETTINGS = """
process.roles=broker,controller
node.id=1
controller.quorum.bootstrap.servers=localhost:{controller}
listeners=PLAINTEXT://127.0.0.1:{broker},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{broker}
controller.listener.names=CONTROLLER
log.dirs={folder}/data
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
group.initial.rebalance.delay.ms=0
log.retention.ms=-1
log.message.timestamp.after.max.ms=9223372036854775807
"""
CLUSTER = "MkU3OEVBNTcwNTJENDM2Qg"


@contextlib.contextmanager
def running_broker(folder: Path) -> Iterator[str]:
    """Run a broker with its data in a folder; yields its address."""
    broker, controller = free_ports(2)
    settings = folder / "server.properties"
    settings.write_text(SETTINGS.format(broker=broker, controller=controller, folder=folder))
    command = _java("kafka.tools.StorageTool", "format", "--standalone", "-t", CLUSTER, "-c", str(settings))  # fmt: skip
    subprocess.run(command, check=True, capture_output=True)
    with (folder / "broker.log").open("wb") as log:
        server = subprocess.Popen(
            _java("kafka.Kafka", str(settings)), stdout=log, stderr=log, stdin=subprocess.DEVNULL
        )
    try:
        wait_for(lambda: accepts(broker), {"broker": server}, folder)
        yield f"127.0.0.1:{broker}"
    finally:
        server.kill()
        server.wait()


def write_topic(
    broker: str, topic: str, partitions: int, records: Iterable[tuple[int, int, str | None]]
) -> None:
    """Make a topic and write records of partition, time in milliseconds and value, in order."""
    lines = [
        f"{partition}\t{time_ms}" + ("" if value is None else f"\t{value}")
        for partition, time_ms, value in records
    ]
    subprocess.run(
        _java(str(FOLDER / "Producer.java"), broker, topic, str(partitions)),
        input="".join(f"{line}\n" for line in lines).encode(),
        check=True,
        stderr=subprocess.PIPE,
    )


def _java(*program: str) -> list[str]:
    """Return the command of a program with Kafka's jars."""
    jars = f"{place('kafka') / 'lib'}/*"
    java = ["java", "-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", jars]
    return [*java, "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", *program]
