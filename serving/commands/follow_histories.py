"""`fulcrum histories follow`: a history store that reads a stream."""

from __future__ import annotations

import contextlib
import datetime
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from serving.commands.connection_options import fail, time_of
from serving.commands.history_options import AsJson, Spec, Store, opened_store

if TYPE_CHECKING:
    from feature_spec.logs.kafka import KafkaTopics
    from feature_spec.logs.source import Source
    from feature_spec.spec import FeatureSpec
    from serving.histories.following.follower import Progress
    from serving.histories.following.kafka_stream import KafkaStream
    from serving.histories.history_event import Kind
    from serving.histories.reading.record_events import StreamLog

_TELL_EVERY_S = 10.0
KAFKA, PROGRESS = "Kafka", "Progress"


def follow(
    *,
    spec: Spec,
    store: Store,
    logs: Annotated[
        Path | None,
        typer.Option(
            help="The folder of side tables (JSON lines or CSV), which are joined as they are when "
            "the command begins.",
            exists=True,
            file_okay=False,
        ),
    ] = None,
    servers: Annotated[
        str | None,
        typer.Option(
            help="Hosts and ports, such as kafka-1:9092,kafka-2:9092.",
            show_default="the spec's",
            rich_help_panel=KAFKA,
        ),
    ] = None,
    topic: Annotated[
        list[str] | None,
        typer.Option(
            help="A topic whose records are lines of the log of exposures or impressions. "
            "Repeatable.",
            show_default="the spec's",
            rich_help_panel=KAFKA,
        ),
    ] = None,
    actions_topic: Annotated[
        list[str] | None,
        typer.Option(
            help="A topic whose records are lines of the log of actions, of event logs. "
            "Repeatable.",
            show_default="the spec's",
            rich_help_panel=KAFKA,
        ),
    ] = None,
    config: Annotated[
        list[str] | None,
        typer.Option(
            help="A setting of Kafka's client, as name=value, such as security.protocol=SASL_SSL; "
            "names are librdkafka's. It wins over the spec's consumer_config. Repeatable.",
            show_default=False,
            rich_help_panel=KAFKA,
        ),
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(
            help="The time of the first record, by Kafka's clock, in topics that the store has "
            "read nothing of. Give one that is before the end of the published state: what the "
            "state has does not count twice.",
            show_default="the first that Kafka has",
            rich_help_panel=KAFKA,
        ),
    ] = None,
    again: Annotated[
        bool,
        typer.Option(
            "--again",
            help="Forget where the store has read to, and begin at --since. Records that the store "
            "knows, by their ids of the last 3 days or by its state, do not count twice.",
            rich_help_panel=KAFKA,
        ),
    ] = False,
    until_end: Annotated[
        bool,
        typer.Option("--until-end", help="End when all partitions are read to their end."),
    ] = False,
    compact_every_s: Annotated[
        float,
        typer.Option(
            help="Fold old events, and forget what has left every window, so often; 0 is never.",
            min=0.0,
        ),
    ] = 86_400.0,
    metrics_port: Annotated[
        int | None,
        typer.Option(
            help="Serve the progress for Prometheus on this port.", rich_help_panel=PROGRESS
        ),
    ] = None,
    json: AsJson = False,
) -> None:
    """Keep a store fresh from Kafka: record what topics say, as it comes, until told to end.

    A record is a line of the log, as in `fulcrum histories record`; ingestion's readers read it.
    Where the store has read to is kept in the store, and changes with what was read in one
    transaction: after a kill, start the command again, and nothing is lost or counted twice. One
    process follows into a store. Every 10 seconds it prints in = recorded + repeated + rejected of
    all that the store has read, and how many records it is behind. SIGTERM ends it.

    Begin with a state, which knows what was before the stream: `fulcrum histories publish`.

    Example: fulcrum histories follow --spec short_video --store redis://cache:6379/0
    --servers kafka-1:9092 --topic feedback --since 2026-11-30T00:00:00Z
    """
    from serving.histories.event_files import SideTables
    from serving.histories.following.follower import Follower
    from serving.histories.following.kafka_stream import StreamError
    from serving.histories.reading.record_events import RecordReader

    begin = None if since is None else time_of("--since", since)
    settings = [_setting(text) for text in config or []]
    with opened_store(store, spec) as opened, _ended_by_signal() as ended:
        read = stream_logs(opened.spec, topic, actions_topic)
        told: list[Progress] = []
        try:
            stream = _stream(read, servers, dict(settings))
            reader = RecordReader(
                opened.spec, read, SideTables(opened.spec, logs) if logs is not None else None
            )
            follower = Follower(opened, stream, reader, compact_every_s=compact_every_s)
            with contextlib.closing(stream), _metrics(metrics_port, told):
                follower.begin(begin, again=again)

                def tell() -> None:
                    told[:] = [follower.progress()]
                    _print_progress(told[0], as_json=json)

                _follow(follower.step, lambda: ended or (until_end and stream.at_end), tell)
        except StreamError as error:
            fail(str(error))
    to_stderr = Console(stderr=True, soft_wrap=True, highlight=False)
    for detail in follower.details:
        to_stderr.print(f"rejected: {detail}", markup=False)


def _follow(
    step: Callable[[], int], is_done: Callable[[], object], tell: Callable[[], None]
) -> None:
    """Take steps until done; tell the progress now and then, and in the end."""
    tell()
    told_s = time.monotonic()
    while not is_done():
        step()
        if time.monotonic() - told_s >= _TELL_EVERY_S:
            tell()
            told_s = time.monotonic()
    tell()


def stream_logs(
    spec: FeatureSpec, topics: list[str] | None, actions_topics: list[str] | None
) -> list[StreamLog]:
    """Return the logs that are followed: those with topics in the spec or in the options."""
    from serving.histories.reading.record_events import StreamLog

    if actions_topics and spec.logs.actions is None:
        fail(f"--actions-topic: spec {spec.name} has no log of actions; give its topics as --topic")
    logs = []
    parts: list[tuple[Source | None, list[str] | None, Kind | None]] = [
        (spec.logs.shown, topics, None),
        (spec.logs.actions, actions_topics, "action"),
    ]
    for source, given, kind in parts:
        if source is None:
            continue
        names = given or (source.kafka.topics if source.kafka is not None else [])
        if names and source.format == "csv" and source.columns is None:
            fail(
                f"{', '.join(names)}: format csv needs 'columns' in the spec: no topic has a header"
            )
        if names:
            logs.append(StreamLog(topics=names, source=source, kind=kind))
    if not logs:
        fail(
            f"spec {spec.name} reads its logs from elsewhere than Kafka ({spec.logs.shown.text}); "
            "give --servers and --topic"
        )
    return logs


def _stream(
    logs: Sequence[StreamLog], servers: str | None, settings: dict[str, str]
) -> KafkaStream:
    from serving.histories.following.kafka_stream import KafkaStream, StreamError

    of_spec: list[KafkaTopics] = [log.source.kafka for log in logs if log.source.kafka is not None]
    addresses = {kafka.bootstrap_servers for kafka in of_spec}
    configs = {tuple(sorted(kafka.consumer_config.items())) for kafka in of_spec}
    if servers is None and len(addresses) != 1:
        named = f"several: {' and '.join(sorted(addresses))}" if addresses else "none"
        raise StreamError(
            f"--servers is needed: one consumer reads one, and the spec names {named}"
        )
    if len(configs) > 1:
        raise StreamError(
            "consumer_config of impressions and of actions differ; one consumer reads both"
        )
    topics = sorted({topic for log in logs for topic in log.topics})
    return KafkaStream(
        servers or addresses.pop(),
        topics,
        group=next((kafka.group for kafka in of_spec if kafka.group), None),
        settings={**dict(*configs), **settings},
    )


@contextlib.contextmanager
def _ended_by_signal() -> Iterator[list[int]]:
    """Yield a list that has something in it once SIGTERM or SIGINT has come."""
    came: list[int] = []
    signals = (signal.SIGTERM, signal.SIGINT)
    before = [signal.signal(number, lambda got, _: came.append(got)) for number in signals]
    try:
        yield came
    finally:
        for number, handler in zip(signals, before, strict=True):
            signal.signal(number, handler)


@contextlib.contextmanager
def _metrics(port: int | None, told: Sequence[Progress]) -> Iterator[None]:
    if port is None:
        yield
        return
    from serving.histories.following.metrics import serve_metrics

    end = serve_metrics(port, lambda: told[0] if told else None)
    try:
        yield
    finally:
        end()


def _setting(text: str) -> tuple[str, str]:
    from serving.histories.following.kafka_stream import OWN_SETTINGS

    name, sign, value = text.partition("=")
    if not sign or not name:
        fail(f"--config {text}: give a name and its value, such as security.protocol=SSL")
    if name in OWN_SETTINGS:
        instead = "give --servers" if name == "bootstrap.servers" else "it would lose records"
        fail(f"--config {text}: follow sets {name} itself; {instead}")
    return name, value


def _print_progress(progress: Progress, *, as_json: bool) -> None:
    from json import dumps

    position = progress.position
    age_s = time.time() - progress.newest_us / 1e6 if progress.newest_us else None
    lag = sum(progress.lags.values())
    if as_json:
        numbers = {"at": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")}
        counts = {
            "in": position.records,
            "recorded": position.recorded,
            "repeated": position.repeated,
            "filtered": position.filtered,
            "rejected": position.rejected,
            "lag": lag,
            "partitions": len(progress.lags),
            "newest_event_age_s": None if age_s is None else round(age_s, 3),
            "trouble": progress.trouble or None,
        }
        typer.echo(dumps({**numbers, **counts}))
        return
    rejected = sum(position.rejected.values())
    reasons = ", ".join(f"{reason} {number:,}" for reason, number in position.rejected.items())
    typer.echo(
        f"{position.records:,} in = {position.recorded:,} recorded + {position.repeated:,} "
        f"repeated + {rejected:,} rejected"
        + (f" ({reasons})" if reasons else "")
        + (f" + {position.filtered:,} left out by 'where'" if position.filtered else "")
        + f"; {lag:,} behind in {len(progress.lags)} partitions"
        + ("" if age_s is None else f"; newest event {age_s:,.0f} s ago")
        + (f"; Kafka: {progress.trouble}" if progress.trouble else "")
    )
