"""The channels of a client, and which of them an attempt takes.

One channel is one HTTP/2 connection, on which messages queue up behind each other: a few channels
work better than one.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import grpc

from serving import tf_serving_api

_OPTIONS = [
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    # Without this, gRPC lets channels with the same target and options share one connection.
    ("grpc.use_local_subchannel_pool", 1),
    # A name that stands for several servers is spread over all of them.
    ("grpc.lb_policy_name", "round_robin"),
    # gRPC waits a second before it connects again: longer than a ranking call may take.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 2000),
]
_RESPONSES = {
    tf_serving_api.PREDICT: tf_serving_api.PredictResponse,
    tf_serving_api.GET_MODEL_METADATA: tf_serving_api.GetModelMetadataResponse,
}


class ChannelPool:
    """Channels of one kind, connected at the first call.

    Args:
        library: The module that makes the channels, ``grpc`` or ``grpc.aio``.
        target: ``host:port``, or another name that gRPC resolves.
        count: The number of channels.
        credentials: The TLS credentials; None for no encryption.
        options: Options of the channels, beside those that all channels have.

    Attributes:
        channels: The channels.
    """

    def __init__(
        self,
        library: Any,
        target: str,
        *,
        count: int,
        credentials: grpc.ChannelCredentials | None,
        options: Sequence[tuple[str, str | int]],
    ) -> None:
        merged = [*_OPTIONS, *options]
        if credentials is None:
            self.channels = [library.insecure_channel(target, options=merged) for _ in range(count)]
        else:
            self.channels = [
                library.secure_channel(target, credentials, options=merged) for _ in range(count)
            ]
        self._methods = [
            {
                path: channel.unary_unary(path, response_deserializer=kind.FromString)
                for path, kind in _RESPONSES.items()
            }
            for channel in self.channels
        ]

    def method(self, channel: int, path: str) -> Any:
        """Return a method on a channel, which takes a serialized request and returns a message."""
        return self._methods[channel][path]


class ChannelRotation:
    """Round robin. May be used by many threads: `next` of a count is one step of the interpreter.

    Args:
        count: Number of channels.
    """

    def __init__(self, count: int) -> None:
        self._count = count
        self._turns = itertools.count()

    def next(self, *, avoid: int | None = None) -> int:
        """Return the number of the next channel, other than `avoid` if there are several."""
        channel = next(self._turns) % self._count
        return (channel + 1) % self._count if channel == avoid else channel
