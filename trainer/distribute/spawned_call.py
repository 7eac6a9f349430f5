"""A call in a new process, where TensorFlow has not started yet, as a cluster needs it."""

from __future__ import annotations

import logging
import logging.handlers
import multiprocessing
import multiprocessing.connection
import os
import threading
import traceback
import types
from collections.abc import Callable
from typing import Any

_FOLLOWED = "fulcrum"


class ProcessEndedError(RuntimeError):
    """The process ended without a result, such as by a kill."""


def call_in_new_process(function: Callable[..., None], *arguments: Any) -> None:
    """Call a function of a module in a new process and wait for it.

    The log records of Fulcrum's packages are handled here. The process ends when this one does.

    Raises:
        ProcessEndedError: the process was killed, or crashed.
        BaseException: the function raised it.
    """
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_call, args=(sender, function, arguments), daemon=True)
    process.start()
    sender.close()  # otherwise the end of the process would go unnoticed
    try:
        while isinstance(message := receiver.recv(), logging.LogRecord):
            logging.getLogger(message.name).handle(message)
    except EOFError:
        process.join()
        raise ProcessEndedError(
            f"process {process.pid} ended without a result (exit code {process.exitcode})"
        ) from None
    finally:
        process.terminate()
        process.join()
    if isinstance(message, BaseException):
        raise message


def _call(
    sender: multiprocessing.connection.Connection,
    function: Callable[..., None],
    arguments: tuple[Any, ...],
) -> None:
    threading.Thread(target=_end_with_parent, daemon=True).start()
    logger = logging.getLogger(_FOLLOWED)
    # The handler makes records picklable, and needs no more of a queue than this method.
    logger.addHandler(logging.handlers.QueueHandler(types.SimpleNamespace(put_nowait=sender.send)))
    logger.setLevel(logging.INFO)
    try:
        function(*arguments)
    except BaseException as error:
        # A pickled error loses its traceback.
        traceback.print_exc()
        sender.send(error)
    else:
        sender.send(None)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
