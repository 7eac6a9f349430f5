"""One load test, from its settings to its result, with its progress while it runs."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pydantic
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from feature_spec.loading import load_spec, ready_specs
from feature_spec.spec import FeatureSpec
from serving.client.tls import Tls
from serving.client.types import RankingRequest
from serving.errors import RequestRefusedError
from serving.loadtest.connections import open_connections, try_one
from serving.loadtest.load_generator import Arrivals, LoadGenerator, send_times_s
from serving.loadtest.load_requests import encoded_requests, random_requests
from serving.loadtest.measurements import Measurements
from serving.loadtest.summary import Summary, distribution, summarise
from serving.rank.request_file import RequestFileError, read_request_file

_REFRESH_S = 0.25


def run_to_the_end(
    generator: LoadGenerator, seconds: float, console: Console
) -> tuple[Measurements, float]:
    """Run a load test and show its progress; return its measurements and its length in seconds.

    An interrupt ends the test early; it is then about the requests that were due until then.

    Args:
        generator: The load generator, not yet started.
        seconds: The time in seconds during which requests are due.
        console: The console that shows the progress.
    """
    columns = (BarColumn(), TimeElapsedColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("", total=seconds)
        generator.start()
        try:
            while not generator.wait(_REFRESH_S):
                now = generator.progress()
                waiting = now.sent - now.answered - now.failed
                latency = distribution(now.recent_latency_s)
                bar.update(
                    task,
                    completed=min(now.elapsed_s, seconds),
                    description=f"sent {now.sent:,}  answered {now.answered:,}  "
                    f"failed {now.failed:,}  open {waiting:,}  "
                    f"p50 {latency.p50_ms:.1f} ms  p99 {latency.p99_ms:.1f} ms",
                )
        except KeyboardInterrupt:
            seconds = min(seconds, generator.elapsed_s)
            console.print(f"Interrupted after {seconds:.1f} s.", style="yellow")
        return generator.stop(), seconds


class LoadTestSettings(pydantic.BaseModel, frozen=True):
    """The settings of a load test: what is sent where, and when.

    Attributes:
        target: ``host:port`` of the server's gRPC port.
        spec: A spec file or the name of a ready spec; None for the one that the request files name.
        request_files: Files with the requests; without any, requests are made up.
        users: The number of different requests that are made up.
        candidates: The numbers of candidates of the requests that are made up, used in turn.
        rate: Requests a second.
        seconds: The time in seconds during which requests are due.
        arrivals: The spacing of the requests.
        model: The model's name on the server; None for the spec's.
        label: A version label; None for the latest version.
        connections: Connections used in turn.
        tls: Encryption of the connections; None for none.
        timeout_ms: The deadline of each request.
        drain_seconds: Seconds to wait for open requests after the last one was due.
        seed: The seed of requests and times.
    """

    target: str
    spec: str | None
    request_files: list[Path]
    users: int
    candidates: list[int]
    rate: float
    seconds: float
    arrivals: Arrivals
    model: str | None
    label: str | None
    connections: int
    tls: Tls | None = None
    timeout_ms: float
    drain_seconds: float
    seed: int


class LoadTestReport(pydantic.BaseModel, frozen=True):
    """The result for programs.

    Attributes:
        settings: The settings of the test.
        model: The model that answered.
        version: The version of the model before the load began.
        candidates: The smallest and the largest number of candidates in a request.
        request_bytes: The size of the smallest and of the largest request, in bytes.
        summary: The summary of the measurements.
    """

    settings: LoadTestSettings
    model: str
    version: int
    candidates: tuple[int, int]
    request_bytes: tuple[int, int]
    summary: Summary


def run_load_test(
    settings: LoadTestSettings, console: Console
) -> tuple[LoadTestReport, Measurements]:
    """Run a load test and show its progress.

    Raises:
        RankingError: A request file cannot be used, or the server does not answer a first request.
        SpecError: The spec cannot be used.
        ValueError: Rate and time do not fit each other.
    """
    scheduled_s = send_times_s(settings.rate, settings.seconds, settings.arrivals, settings.seed)
    timeout_s = settings.timeout_ms / 1000.0
    with console.status("Making requests …"):
        spec, requests = _spec_and_requests(settings)
        encode = partial(
            encoded_requests,
            spec,
            requests,
            model_name=settings.model or spec.name,
            label=settings.label,
        )
        encoded = encode()
    with ExitStack() as stack:
        with console.status(f"Connecting to {settings.target} …"):
            predicts = stack.enter_context(
                open_connections(settings.target, settings.connections, settings.tls)
            )
            first = partial(
                try_one,
                predicts,
                target=settings.target,
                spec=spec,
                request=requests[0],
                timeout_s=timeout_s,
            )
            try:
                answer = first(encoded=encoded[0])
            except RequestRefusedError as error:
                # A model of an earlier version knows the spec by another fingerprint.
                if spec.earlier_fingerprint not in error.text:
                    raise
                encoded = encode(fingerprint=spec.earlier_fingerprint)
                answer = first(encoded=encoded[0])
        generator = LoadGenerator(
            [predict.future for predict in predicts],
            encoded,
            scheduled_s,
            timeout_s=timeout_s,
            drain_s=settings.drain_seconds,
        )
        measurements, seconds = run_to_the_end(generator, settings.seconds, console)
    report = LoadTestReport(
        settings=settings,
        model=answer.model_name,
        version=answer.model_version,
        candidates=_range([len(request.candidates) for request in requests]),
        request_bytes=_range([len(request) for request in encoded]),
        summary=summarise(measurements, seconds),
    )
    return report, measurements


def _spec_and_requests(settings: LoadTestSettings) -> tuple[FeatureSpec, list[RankingRequest]]:
    files = [read_request_file(path) for path in settings.request_files]
    source = settings.spec or next((file.spec for file in files if file.spec is not None), None)
    if source is None:
        raise RequestFileError(
            f"no spec is named: give --spec. Ready specs: {', '.join(ready_specs())}"
        )
    spec = load_spec(source).served
    if files:
        return spec, [file.request(spec) for file in files]
    return spec, list(random_requests(spec, settings.users, settings.candidates, settings.seed))


def _range(sizes: Sequence[int]) -> tuple[int, int]:
    return min(sizes), max(sizes)
