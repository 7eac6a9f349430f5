"""The progress of a follower for Prometheus."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from serving.histories.following.follower import Progress
from serving.histories.following.kafka_stream import StreamError


class FollowerMetrics(Collector):
    """Metrics of the last progress that was told.

    Args:
        last: returns it; None before the first.
    """

    def __init__(self, last: Callable[[], Progress | None]) -> None:
        self._last = last

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics."""
        progress = self._last()
        if progress is None:
            return
        position = progress.position
        records = CounterMetricFamily(
            "fulcrum_histories_records",
            "Records that the store has read, by what became of them.",
            labels=["result", "reason"],
        )
        for result in ("recorded", "repeated", "filtered"):
            records.add_metric([result, ""], getattr(position, result))
        for reason, number in sorted(position.rejected.items()):
            records.add_metric(["rejected", reason], number)
        yield records
        lag = GaugeMetricFamily(
            "fulcrum_histories_lag_records",
            "Records that were not read yet.",
            labels=["topic", "partition"],
        )
        for place, number in sorted(progress.lags.items()):
            topic, _, partition = place.rpartition("/")
            lag.add_metric([topic, partition], number)
        yield lag
        yield GaugeMetricFamily(
            "fulcrum_histories_newest_event_timestamp_seconds",
            "Time of the newest event that the store knows.",
            value=progress.newest_us / 1e6,
        )


def serve_metrics(port: int, last: Callable[[], Progress | None]) -> Callable[[], None]:
    """Serve the metrics over HTTP, and return what ends it.

    Args:
        port: the port; 0 for any.
        last: returns the last progress.

    Raises:
        StreamError: the port is taken.
    """
    registry = CollectorRegistry()
    registry.register(FollowerMetrics(last))
    try:
        server, thread = start_http_server(port, registry=registry)
    except OSError as error:
        raise StreamError(f"--metrics-port {port}: {error}") from error

    def end() -> None:
        server.shutdown()
        server.server_close()
        thread.join()

    return end
