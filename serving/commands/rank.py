"""`fulcrum rank`."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

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
    time_of,
    tls_settings,
)

if TYPE_CHECKING:
    from feature_spec.spec import FeatureSpec
    from serving.client.ranking_client import RankingClient
    from serving.client.request_log import RequestLog
    from serving.client.side_tables import SideTables

_REQUEST, _OUTPUT = "Request", "Output"


def rank(
    *,
    request: Annotated[
        Path,
        typer.Option(
            help="JSON file with user, context, candidates and, if need be, weights and spec.",
            rich_help_panel=_REQUEST,
        ),
    ],
    spec: Annotated[
        str | None,
        typer.Option(
            help="Feature spec: a YAML file, or the name of a ready spec.",
            show_default="the one that the request file names",
            rich_help_panel=_REQUEST,
        ),
    ] = None,
    weight: Annotated[
        list[str] | None,
        typer.Option(
            help="An exponent of the ranking formula for this request, as task=value or "
            "duration=value. Repeatable.",
            rich_help_panel=_REQUEST,
        ),
    ] = None,
    formula: Annotated[
        Path | None,
        typer.Option(
            help="YAML file of a ranking formula, as `fulcrum tune-formula` writes it. --weight "
            "overrides it.",
            rich_help_panel=_REQUEST,
        ),
    ] = None,
    target: Target = "127.0.0.1:8500",
    model: Model = None,
    label: Label = None,
    timeout_ms: Annotated[
        float,
        typer.Option(help="Milliseconds to wait for an answer.", min=1.0, rich_help_panel=SERVER),
    ] = 1000.0,
    max_candidates: Annotated[
        int | None,
        typer.Option(
            help="Most candidates in one message; a longer request is sent in parts, whose answers "
            "are merged.",
            min=1,
            show_default="no limit",
            rich_help_panel=SERVER,
        ),
    ] = None,
    histories: Annotated[
        str | None,
        typer.Option(
            help="History store that fills in the fields of histories: a folder with an LMDB file, "
            "or redis://host:port/number.",
            rich_help_panel=_REQUEST,
        ),
    ] = None,
    tables: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Side tables that fill in fields of users and items that the request only names: "
            "a pipeline root or a version that was pushed with serving.export_tables.",
            exists=True,
            file_okay=False,
            rich_help_panel=_REQUEST,
        ),
    ] = None,
    at: Annotated[
        str | None,
        typer.Option(
            help="The time of the request, as of which histories are read, such as "
            "2026-11-30T12:00:00+08:00 (UTC without a zone).",
            show_default="now",
            rich_help_panel=_REQUEST,
        ),
    ] = None,
    request_log: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Folder that gets the request and its answer, as `fulcrum skew` reads them.",
            file_okay=False,
            show_default="no log",
            rich_help_panel=_OUTPUT,
        ),
    ] = None,
    tls: UseTls = False,
    root_certificates: RootCertificates = None,
    client_certificate: ClientCertificate = None,
    client_key: ClientKey = None,
    explain: Annotated[
        bool,
        typer.Option(
            "--explain",
            help="Show what each task contributes to the ranking score.",
            rich_help_panel=_OUTPUT,
        ),
    ] = False,
    json: Annotated[
        bool,
        typer.Option("--json", help="Print JSON instead of tables.", rich_help_panel=_OUTPUT),
    ] = False,
) -> None:
    """Rank the candidates of a request file with a served model.

    The file holds one user, one context and the candidates: {"spec": "short_video", "user":
    {"user_id": "u1"}, "context": {"hour": 20}, "candidates": [{"video_id": "v1", "duration_s":
    12.5}, {"video_id": "v2"}], "weights": {"ctr": 1.0}}

    Example: fulcrum rank --request request.json --weight ctr=2 --explain
    """
    from dataclasses import replace
    from json import dumps

    from feature_spec.loading import (
        SpecError,
        load_formula,
        load_spec,
        ready_specs,
        request_weights,
    )
    from serving.client.history_filling import HistoryPolicy
    from serving.client.ranking_client import RankingClient
    from serving.errors import RankingError
    from serving.histories.store import HistoryStoreError
    from serving.rank.rank_report import explain as explain_candidate
    from serving.rank.rank_report import explanation_table, ranking_table, report
    from serving.rank.request_file import read_request_file

    try:
        file = read_request_file(request)
        spec_source = spec or file.spec
        if spec_source is None:
            fail(
                f'{request} names no spec: give --spec, or a key "spec". '
                f"Ready specs: {', '.join(ready_specs())}"
            )
        loaded = load_spec(spec_source)
        weights = request_weights(load_formula(formula), loaded, formula) if formula else {}
        ranking_request = file.request(loaded, weights | _weights(weight or []))
        if at is not None:
            ranking_request = replace(ranking_request, at_s=time_of("--at", at).timestamp())
        known = _tables_in(tables, loaded)
        if known is not None:
            ranking_request = known.filled(ranking_request)
        explanations = None
        store = None
        if histories is not None:
            from serving.histories.opening import open_store

            store = open_store(histories, loaded, readonly=True)
        with (
            contextlib.closing(store) if store is not None else contextlib.nullcontext(),
            _log_in(request_log) as log,
            RankingClient(
                target,
                loaded,
                model_name=model,
                label=label,
                timeout_ms=timeout_ms,
                tls=tls_settings(tls, root_certificates, client_certificate, client_key),
                max_candidates=max_candidates,
                histories=store,
                history_policy=HistoryPolicy(timeout_ms=timeout_ms),
                request_log=log,
            ) as client,
        ):
            served = client.check() if explain else None
            if not explain:
                _looked_at(client)
            ranked = client.rank(ranking_request)
        if served is not None:
            in_force = {**served.weights, **ranking_request.weights}
            explanations = [explain_candidate(loaded, candidate, in_force) for candidate in ranked]
    except (RankingError, SpecError, HistoryStoreError) as error:
        fail(str(error))
    if json:
        typer.echo(dumps(report(ranked, explanations), indent=2))
        return
    console = Console()
    console.print(ranking_table(ranked))
    if store is not None and ranked.histories is None:
        Console(stderr=True).print(
            "Ranked without histories: see the warning above.", style="yellow", soft_wrap=True
        )
    if explanations is not None:
        console.print(explanation_table(explanations))
        if not all(explanation.agrees for explanation in explanations):
            console.print(
                "The products differ from the model's ranking scores: the model's formula has "
                "another duration transform than the spec given here, or another version answered.",
                style="yellow",
            )


def _weights(texts: list[str]) -> dict[str, float]:
    """Read weights given as ``name=value``."""
    weights = {}
    for text in texts:
        name, _, value = text.partition("=")
        try:
            weights[name] = float(value)
        except ValueError:
            fail(f"--weight {text}: give a task and a number, such as --weight ctr=2.0")
    return weights


def _tables_in(folder: Path | None, spec: FeatureSpec) -> SideTables | None:
    from serving.client.side_tables import SideTables

    try:
        return SideTables.read(spec, folder) if folder is not None else None
    except ValueError as error:
        fail(f"--tables {error}")


@contextlib.contextmanager
def _log_in(folder: Path | None) -> Iterator[RequestLog | None]:
    """Open a log of every request in a folder; None without a folder."""
    if folder is None:
        yield None
        return
    from serving.client.request_log import RequestLog

    try:
        log = RequestLog(folder, sampling_rate=1.0)
    except OSError as error:
        fail(f"--request-log {folder}: cannot be written: {error.strerror}")
    with log:
        yield log


def _looked_at(client: RankingClient) -> None:
    """Let a client learn which fields requests should have; what is wrong, `rank` says itself."""
    from serving.errors import RankingError

    with contextlib.suppress(RankingError):
        client.check()
