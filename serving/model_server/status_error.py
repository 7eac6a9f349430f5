"""Errors in gRPC's form: a code and a text."""

from __future__ import annotations

import logging

import grpc

logger = logging.getLogger(__name__)

_CODES = {code.value[0]: code for code in grpc.StatusCode}
_MAX_TEXT_LENGTH = 1024


class StatusError(Exception):
    """A call, or the loading of a version, that failed.

    Attributes:
        code: The gRPC status code.
        text: The text for the client.
    """

    def __init__(self, code: grpc.StatusCode, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.text = text

    @property
    def short_text(self) -> str:
        """The text as it is sent: cut, because a status travels in an HTTP header."""
        return (
            self.text
            if len(self.text) <= _MAX_TEXT_LENGTH
            else self.text[:_MAX_TEXT_LENGTH] + "...TRUNCATED"
        )


def invalid_argument(text: str) -> StatusError:
    """Return the error of a request that is wrong whatever the state of the server."""
    return StatusError(grpc.StatusCode.INVALID_ARGUMENT, text)


def from_tensorflow(error: Exception) -> StatusError:
    """Return a `tf.errors.OpError` in gRPC's terms, with the runtime's own text.

    A session wraps the runtime's error in one that adds Python stack traces, which say nothing to a
    client.
    """
    inner = error.__context__ if isinstance(error.__context__, type(error)) else error
    code = _CODES.get(getattr(error, "error_code", None), grpc.StatusCode.UNKNOWN)
    return StatusError(code, str(getattr(inner, "message", inner)))


def as_status(error: Exception) -> StatusError:
    """Return the status of an error for a caller.

    A `StatusError` is returned as it is. Any other error is a defect of this server, and is logged.
    """
    if isinstance(error, StatusError):
        return error
    logger.error("this is a defect of this server", exc_info=error)
    return StatusError(grpc.StatusCode.INTERNAL, f"{type(error).__name__}: {error}")
