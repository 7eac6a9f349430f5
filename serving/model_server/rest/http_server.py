"""An ASGI application served over HTTP from a thread of its own."""

from __future__ import annotations

import math
import socket
import threading
import time

import uvicorn
from starlette.types import ASGIApp

_BACKLOG = 2048


class HttpServer:
    """Serves an application from `start` to `stop`.

    Attributes:
        port: The port that the server listens on, also where the system chose it.
    """

    def __init__(self, app: ASGIApp, host: str, port: int) -> None:
        """Take the port, but answer nothing yet.

        Args:
            app: The application that answers.
            host: Address to listen on.
            port: Port to listen on; 0 lets the system choose.

        Raises:
            OSError: The address cannot be had.
        """
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._socket = socket.create_server((host, port), family=family, backlog=_BACKLOG)
        # Connections inherit it. Without it, an answer in two parts waits 40 ms for the client's
        # system to confirm the first.
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.port: int = self._socket.getsockname()[1]
        config = uvicorn.Config(
            app, log_config=None, access_log=False, lifespan="off", server_header=False, ws="none"
        )
        self._config, self._server = config, uvicorn.Server(config)
        self._thread = threading.Thread(
            target=self._server.run, args=([self._socket],), name="http", daemon=True
        )

    def start(self) -> None:
        """Begin to answer requests."""
        self._thread.start()
        while not self._server.started and self._thread.is_alive():
            time.sleep(0.002)

    def stop(self, drain_s: float) -> None:
        """Take no new request, and wait for those in flight.

        Args:
            drain_s: Seconds after which requests that are still running are cut off.
        """
        self._config.timeout_graceful_shutdown = math.ceil(drain_s)
        self._server.should_exit = True
        if self._thread.ident is not None:
            self._thread.join()
        self._socket.close()
