"""A pool of Python workers, as beside each task manager on Kubernetes, at an address of its own.

`python -m tests.engines.worker_pool ADDRESS EXECUTABLE` serves until its standard input ends, and
then ends its workers. Beam's own program listens at all addresses of a machine, so that two of one
port cannot stand beside each other; and two task managers cannot share a pool, since both call
their first worker 1-1.
"""

from __future__ import annotations

import sys

import grpc
from apache_beam.portability.api import beam_fn_api_pb2_grpc
from apache_beam.runners.worker.worker_pool_main import (
    BeamFnExternalWorkerPoolServicer,
    kill_process_gracefully,
)
from apache_beam.utils.thread_pool_executor import shared_unbounded_instance


def main(address: str, executable: str) -> None:
    """Serve, say so, and end when the standard input does."""
    pool = BeamFnExternalWorkerPoolServicer(use_process=True, container_executable=executable)
    server = grpc.server(shared_unbounded_instance())
    server.add_insecure_port(address)
    beam_fn_api_pb2_grpc.add_BeamFnExternalWorkerPoolServicer_to_server(pool, server)
    server.start()
    print("ready", flush=True)
    sys.stdin.read()
    server.stop(None)
    for worker in list(pool._worker_processes.values()):
        kill_process_gracefully(worker)


if __name__ == "__main__":
    main(*sys.argv[1:])
