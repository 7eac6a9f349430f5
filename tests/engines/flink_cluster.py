"""A standalone Flink cluster with Beam's job server, as `pipeline/deploy/kubernetes` describes it.

A job manager, task managers each with a pool of Python workers beside it, and the job server: all
of them processes of this machine, which the cluster starts and ends.
"""

from __future__ import annotations

import http.client
import json
import os
import shlex
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

from tests.engines.catalogue import place
from tests.engines.ports import accepts, free_ports, wait_for
from tests.wheel import REPOSITORY

# The name that task managers know the pool beside them by, each at an address of its own.
POOL_HOST = "worker-pool"
BEAM = place("job_server") / "job_server.jar"
# What the manifests of `pipeline/deploy/kubernetes` give to Flink as well: without the first a job ends with a task manager that is
# lost, and the delay lets Flink know of the loss, before which it would use up all attempts at once.
JOB_MANAGER = {
    "restart-strategy.type": "fixed-delay",
    "restart-strategy.fixed-delay.attempts": "3",
    "restart-strategy.fixed-delay.delay": "30 s",
}
# Each result that waits to be read takes so many network buffers, 512 if not told, and a job of Beam has dozens of them.
TASK_MANAGER = {"taskmanager.network.sort-shuffle.min-buffers": "64"}
# What Flink's scripts, which its package lacks, work out from a process size and give to Java.
SIZES = {
    "taskmanager.cpu.cores": "1",
    "taskmanager.memory.framework.heap.size": "128m",
    "taskmanager.memory.framework.off-heap.size": "128m",
    "taskmanager.memory.task.heap.size": "256m",
    "taskmanager.memory.task.off-heap.size": "64m",
    "taskmanager.memory.network.min": "192m",
    "taskmanager.memory.network.max": "192m",
    "taskmanager.memory.managed.size": "256m",
    "taskmanager.memory.jvm-metaspace.size": "256m",
    "taskmanager.memory.jvm-overhead.min": "192m",
    "taskmanager.memory.jvm-overhead.max": "192m",
}
# On a busy machine nothing is lost because it is slow; a process that is gone is known by its closed port.
PATIENCE = {
    "pekko.ask.timeout": "10 min",
    "pekko.startup-timeout": "10 min",
    "heartbeat.interval": "2000",
    "heartbeat.timeout": "600000",
    "slot.request.timeout": "600000",
    "web.timeout": "600000",
}
OPENED = (
    "java.lang", "java.net", "java.io", "java.nio", "sun.nio.ch", "java.lang.reflect", "java.text", "java.time", "java.util",
    "java.util.concurrent", "java.util.concurrent.atomic", "java.util.concurrent.locks",
)  # fmt: skip
EXPORTED = ("sun.net.util",)
JAVA = [
    "java", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
    *(f"--add-opens=java.base/{package}=ALL-UNNAMED" for package in OPENED),
    *(f"--add-exports=java.base/{package}=ALL-UNNAMED" for package in EXPORTED),
    "--add-exports=java.rmi/sun.rmi.registry=ALL-UNNAMED",
    "--add-exports=java.security.jgss/sun.security.krb5=ALL-UNNAMED",
]  # fmt: skip
LOGGING = """
rootLogger.level = INFO
rootLogger.appenderRef.console.ref = console
appender.console.type = Console
appender.console.name = console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d %-5p %c{1} %m%n
"""


class FlinkCluster:
    """A running cluster, in a folder of its own; a context manager that ends it.

    Args:
        folder: for settings, logs of processes and what Beam ships.
        task_managers: how many, each with one slot.
    """

    def __init__(self, folder: Path, task_managers: int = 2) -> None:
        self.folder = folder
        self.slots = task_managers
        self._rest, self._rpc, self._jobs, self._artifacts, self._expansion, self._pool = free_ports(6)  # fmt: skip
        self._settings = {
            "jobmanager.rpc.address": "localhost",
            "jobmanager.rpc.port": str(self._rpc),
            "rest.address": "localhost",
            "rest.port": str(self._rest),
            "taskmanager.host": "localhost",
            "taskmanager.numberOfTaskSlots": "1",
            "io.tmp.dirs": str(folder / "tmp"),
            **JOB_MANAGER,
            **TASK_MANAGER,
            # Beam keeps workers from one step of a job to the next only if Flink itself has Beam's classes.
            "classloader.resolve-order": "parent-first",
            **SIZES,
            **PATIENCE,
        }
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def beam_options(self) -> list[str]:
        """Return the values of `--beam` that `pipeline/deploy/kubernetes/run.yaml` has, for here."""
        return [
            "runner=PortableRunner",
            f"job_endpoint=localhost:{self._jobs}",
            f"artifact_endpoint=localhost:{self._artifacts}",
            "environment_type=EXTERNAL",
            f"environment_config={POOL_HOST}:{self._pool}",
            "sdk_container_image=none",
            f"parallelism={self.slots}",
            "sdk_worker_parallelism=1",
            "environment_cache_millis=60000",
        ]

    @property
    def expansion_service(self) -> str:
        """The address where the job server expands transforms of Java."""
        return f"localhost:{self._expansion}"

    def __enter__(self) -> FlinkCluster:
        try:
            self._start()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end()

    def add_task_manager(self, number: int) -> None:
        """Start a task manager and the pool beside it, at the address 127.0.0.NUMBER."""
        pool, name = f"127.0.0.{number}", f"task_manager_{number}"
        boot = self.folder / f"boot_{number}"
        # What is shipped is unpacked beside the pool, where its own container would have it.
        boot.write_text(
            f'#!/bin/sh\nexec {place("boot") / "boot"} --semi_persist_dir={self.folder / name} "$@"\n'
        )
        boot.chmod(0o755)
        hosts = self.folder / f"hosts_{number}"
        hosts.write_text(f"127.0.0.1 localhost\n127.0.0.1 {socket.gethostname()}\n{pool} {POOL_HOST}\n")  # fmt: skip
        self._start_process(
            f"worker_pool_{number}",
            [sys.executable, "-m", "tests.engines.worker_pool", f"{pool}:{self._pool}", str(boot)],
            stdin=subprocess.PIPE,
        )
        self._start_java(
            name,
            ["-Xmx448m", "-XX:MaxDirectMemorySize=448m", f"-Djdk.net.hosts.file={hosts}", *self._flink_options(BEAM)],
            ["org.apache.flink.runtime.taskexecutor.TaskManagerRunner", "--configDir", str(self.folder)],
        )  # fmt: skip

    def kill_task_manager(self, number: int) -> None:
        """Kill a task manager and its pool, as when a machine goes out."""
        for name in (f"task_manager_{number}", f"worker_pool_{number}"):
            process = self._processes.pop(name)
            _end_process(process)

    def asked(self, path: str) -> Any:
        """Return the job manager's answer to a request, such as `/jobs/overview`; None if none."""
        try:
            with urllib.request.urlopen(f"http://localhost:{self._rest}{path}") as answer:
                return json.load(answer)
        except (OSError, http.client.HTTPException):
            return None

    def wait(self, until: Callable[[], Any], while_living: Callable[[], bool] | None = None) -> Any:
        """Wait until a question has an answer, for as long as the cluster's processes live."""

        def question() -> Any:
            answer = until()
            assert answer or while_living is None or while_living(), "what was waited for has ended"
            return answer

        return wait_for(question, self._processes, self.folder)

    def task_managers(self) -> int:
        """Return how many task managers the job manager knows."""
        overview = self.asked("/overview")
        return overview["taskmanagers"] if overview else 0

    def _start(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "tmp").mkdir()
        (self.folder / "log4j2.properties").write_text(LOGGING)
        lines = [f"{key}: {value}\n" for key, value in self._settings.items()]
        (self.folder / "config.yaml").write_text("".join(lines))
        self._start_java(
            "job_manager",
            ["-Xmx400m", *self._flink_options()],
            ["org.apache.flink.runtime.entrypoint.StandaloneSessionClusterEntrypoint", "--configDir", str(self.folder)],
        )  # fmt: skip
        for number in range(2, self.slots + 2):
            self.add_task_manager(number)
        self._start_java(
            "job_server",
            ["-Xmx512m"],
            [
                "-jar", str(BEAM), f"--flink-master=localhost:{self._rest}",
                f"--job-port={self._jobs}", f"--artifact-port={self._artifacts}", f"--expansion-port={self._expansion}",
                f"--artifacts-dir={self.folder / 'artifacts'}",
            ],
        )  # fmt: skip
        self.wait(lambda: self.task_managers() == self.slots)
        self.wait(lambda: all(accepts(port) for port in (self._jobs, self._artifacts)))

    def _flink_options(self, *further: Path) -> list[str]:
        jars = ":".join(map(str, [*sorted((place("flink") / "lib").glob("*.jar")), *further]))
        return [f"-Dlog4j.configurationFile={self.folder / 'log4j2.properties'}", "-cp", jars]

    def _start_java(self, name: str, options: list[str], program: list[str]) -> None:
        temporary = f"-Djava.io.tmpdir={self.folder / 'tmp'}"
        self._start_process(name, [*JAVA, temporary, *options, *program])

    def _start_process(
        self, name: str, command: list[str], stdin: int = subprocess.DEVNULL
    ) -> None:
        environment = {
            **os.environ,
            # The folder is the cluster's own, since boot writes into the one that it is started in.
            "PYTHONPATH": str(REPOSITORY),
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            # Else boot makes a virtual environment for each worker.
            "RUN_PYTHON_SDK_IN_DEFAULT_ENVIRONMENT": "1",
        }
        with (self.folder / f"{name}.log").open("ab") as log:
            log.write(f"{shlex.join(command)}\n".encode())
            log.flush()
            self._processes[name] = subprocess.Popen(
                command, cwd=self.folder, env=environment, stdin=stdin, stdout=log, stderr=log
            )

    def _end(self) -> None:
        for process in reversed(self._processes.values()):
            _end_process(process)
        self._processes.clear()


def _end_process(process: subprocess.Popen[bytes]) -> None:
    """End a pool by its input, so that its workers end with it; kill what is of Java."""
    if process.stdin is None:
        process.kill()
    else:
        process.stdin.close()
    process.wait()
