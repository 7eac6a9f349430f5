"""`fulcrum loadtest`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console

from feature_spec.output_file import writable_file
from serving.commands.connection_options import (
    SERVER,
    ClientCertificate,
    ClientKey,
    Label,
    Model,
    RootCertificates,
    Target,
    UseTls,
    fail,
    tls_settings,
)

_REQUESTS, _LOAD, _RESULT = "Requests", "Load", "Result"


def loadtest(
    *,
    target: Target = "127.0.0.1:8500",
    model: Model = None,
    label: Label = None,
    connections: Annotated[
        int,
        typer.Option(
            help="Connections, used in turn. A load balancer spreads connections, not requests.",
            min=1,
            rich_help_panel=SERVER,
        ),
    ] = 1,
    tls: UseTls = False,
    root_certificates: RootCertificates = None,
    client_certificate: ClientCertificate = None,
    client_key: ClientKey = None,
    spec: Annotated[
        str | None,
        typer.Option(
            help="Feature spec: a YAML file, or the name of a ready spec.",
            show_default="the one that a request file names",
            rich_help_panel=_REQUESTS,
        ),
    ] = None,
    users: Annotated[
        int | None,
        typer.Option(
            help="Different users, each with a request of its own, sent in turn.",
            min=1,
            show_default="100",
            rich_help_panel=_REQUESTS,
        ),
    ] = None,
    candidates: Annotated[
        list[int] | None,
        typer.Option(
            help="Candidates a request. Repeatable: the users then take turns.",
            min=1,
            show_default="100",
            rich_help_panel=_REQUESTS,
        ),
    ] = None,
    request: Annotated[
        list[Path] | None,
        typer.Option(
            help="Send the request of this file, as for `fulcrum rank`, instead of made-up ones. "
            "Repeatable: in turn.",
            show_default=False,
            rich_help_panel=_REQUESTS,
        ),
    ] = None,
    rate: Annotated[
        float,
        typer.Option(
            help="Requests a second, however long the server takes.", rich_help_panel=_LOAD
        ),
    ] = 10.0,
    seconds: Annotated[float, typer.Option(help="How long to send.", rich_help_panel=_LOAD)] = 10.0,
    arrivals: Annotated[
        Literal["poisson", "constant"],
        typer.Option(
            help="Times between requests: random, as from many users, or even.",
            rich_help_panel=_LOAD,
        ),
    ] = "poisson",
    timeout_ms: Annotated[
        float,
        typer.Option(
            help="Deadline of each request in milliseconds.", min=1.0, rich_help_panel=_LOAD
        ),
    ] = 1000.0,
    drain_seconds: Annotated[
        float,
        typer.Option(
            help="Seconds to wait for open requests after the last one was due; then the test "
            "ends.",
            min=0.0,
            rich_help_panel=_LOAD,
        ),
    ] = 5.0,
    seed: Annotated[
        int,
        typer.Option(
            help="The same seed sends the same requests at the same times.",
            rich_help_panel=_LOAD,
        ),
    ] = 0,
    json_file: Annotated[
        Path | None,
        typer.Option(
            "--json",
            help="File for all numbers as JSON.",
            dir_okay=False,
            callback=writable_file,
            rich_help_panel=_RESULT,
        ),
    ] = None,
    picture: Annotated[
        Path | None,
        typer.Option(
            help="File for a picture, .png, .svg or .pdf: latency over time and percentiles.",
            dir_okay=False,
            callback=writable_file,
            rich_help_panel=_RESULT,
        ),
    ] = None,
) -> None:
    """Load a model server at a fixed rate and measure the latency that its callers would meet.

    The rate does not fall when the server is slow, and latency counts from the time at which a
    request was due: a stall is counted for every request that it would have held up. The test is
    over --seconds and --drain-seconds after it began, at the latest. Exit status 1: the test could
    not be run, or no request was answered.

    Example: fulcrum loadtest --spec short_video --candidates 500 --rate 50 --seconds 30 --picture
    load.png
    """
    if request and (users or candidates):
        fail("--users and --candidates are for made-up requests; a --request file has its own")
    console = Console()
    with console.status("Starting …"):
        from feature_spec.loading import SpecError
        from serving.errors import RankingError
        from serving.loadtest.load_test import LoadTestSettings, run_load_test
        from serving.loadtest.summary_table import counts_table, heading, latency_table, warning

    settings = LoadTestSettings(
        target=target,
        spec=spec,
        request_files=request or [],
        users=users or 100,
        candidates=candidates or [100],
        rate=rate,
        seconds=seconds,
        arrivals=arrivals,
        model=model,
        label=label,
        connections=connections,
        tls=tls_settings(tls, root_certificates, client_certificate, client_key),
        timeout_ms=timeout_ms,
        drain_seconds=drain_seconds,
        seed=seed,
    )
    try:
        if picture:
            from serving.loadtest.picture import check_format, save_picture  # loads matplotlib

            check_format(picture)
        report, measurements = run_load_test(settings, console)
        console.print(heading(report), highlight=False, soft_wrap=True)
        console.print(counts_table(report.summary))
        console.print(latency_table(report.summary))
        if (text := warning(report.summary)) is not None:
            console.print(text, style="yellow", soft_wrap=True)
        if json_file:
            json_file.write_text(report.model_dump_json(indent=1), encoding="utf-8")
        if picture:
            save_picture(picture, measurements, report.summary, heading(report))
    except (RankingError, SpecError, ValueError, OSError) as error:
        fail(str(error))
    if not report.summary.answered:
        raise typer.Exit(1)
