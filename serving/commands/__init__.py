"""`fulcrum serve`, `fulcrum rank` and, from `serving.commands.loadtest`, `fulcrum loadtest`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, NoReturn

import typer
from rich.console import Console
from rich.markup import escape

from serving.commands.loadtest import loadtest

if TYPE_CHECKING:
    from serving.model_server.versions.served_model import ServedModel
    from serving.ui.ranking_page import RankingPage


def serve(
    *,
    root: Annotated[
        Path | None,
        typer.Option(help="A pipeline's root, or a folder of versions named by numbers."),
    ] = None,
    model_config_file: Annotated[
        Path | None,
        typer.Option(
            help="In place of --root: several models, as TensorFlow Serving's ModelServerConfig in text form."
        ),
    ] = None,
    model_config_file_poll_seconds: Annotated[
        float,
        typer.Option(
            help="Seconds between two looks at that file; 0: it is read at the start only.", min=0.0
        ),
    ] = 0.0,
    allow_version_labels_for_unavailable_models: Annotated[
        bool,
        typer.Option(
            "--allow-version-labels-for-unavailable-models",
            help="Let new labels name versions that are not loaded yet.",
        ),
    ] = False,
    port: Annotated[
        int, typer.Option(help="Port for gRPC; 0 lets the system choose.", min=0, max=65535)
    ] = 8500,
    host: Annotated[
        str,
        typer.Option(
            help="Address to listen on for gRPC. Nothing is encrypted without --ssl-config-file: leave loopback only in a "
            "trusted network."
        ),
    ] = "127.0.0.1",
    ssl_config_file: Annotated[
        Path | None,
        typer.Option(
            help="Encrypt gRPC, and ask for client certificates if it says so: TensorFlow Serving's SSLConfig as text."
        ),
    ] = None,
    rest_port: Annotated[
        int | None,
        typer.Option(
            help="Port for REST; 0 lets the system choose.",
            min=0,
            max=65535,
            show_default="no REST",
        ),
    ] = None,
    rest_host: Annotated[
        str,
        typer.Option(
            help="Address to listen on for REST, never encrypted: leave loopback only in a trusted network."
        ),
    ] = "127.0.0.1",
    monitoring_config_file: Annotated[
        Path | None,
        typer.Option(
            help="Show Prometheus metrics on the REST port: TensorFlow Serving's MonitoringConfig as text."
        ),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option(
            help="Name of the model of --root in requests.",
            show_default="that of the spec the model was trained with",
        ),
    ] = None,
    versions: Annotated[
        Literal["latest", "all"],
        typer.Option(help="Versions of --root kept loaded: the newest that loads, or all."),
    ] = "latest",
    poll_seconds: Annotated[
        float, typer.Option(help="Seconds between two looks for new versions.", min=0.05)
    ] = 1.0,
    drain_seconds: Annotated[
        float,
        typer.Option(help="Seconds that requests in flight get to finish at the end.", min=0.0),
    ] = 30.0,
    max_candidates: Annotated[
        int | None,
        typer.Option(help="Most candidates in a request.", min=1, show_default="any number"),
    ] = None,
    max_message_mb: Annotated[
        int, typer.Option(help="Largest request in MiB.", min=1, max=2047)
    ] = 64,
    max_concurrent_requests: Annotated[
        int,
        typer.Option(
            help="Most requests being answered or waiting at one time; beyond it, RESOURCE_EXHAUSTED.",
            min=1,
        ),
    ] = 256,
    threads: Annotated[
        int,
        typer.Option(
            help="Requests answered at one time; the models have threads of their own.", min=1
        ),
    ] = 4,
    enable_serialization_as_tensor_content: Annotated[
        bool,
        typer.Option(
            "--enable-serialization-as-tensor-content",
            help="Answer numbers as bytes, which is quicker.",
        ),
    ] = False,
    ui: Annotated[
        bool,
        typer.Option(
            "--ui",
            help="Open a page in the browser: rank logged users' candidates, move the formula's weights.",
        ),
    ] = False,
    ui_port: Annotated[
        int | None,
        typer.Option(
            help="Port of the page, on loopback only; 0 lets the system choose.",
            min=0,
            max=65535,
            show_default="8502",
        ),
    ] = None,
    ui_requests: Annotated[
        list[Path] | None,
        typer.Option(
            help="Requests for the page: a JSON file as for fulcrum rank, or a request log. Repeatable.",
            exists=True,
            dir_okay=False,
            show_default="the root's evaluation split, else the version's warm-up file",
        ),
    ] = None,
    no_browser: Annotated[
        bool, typer.Option("--no-browser", help="Print the page's address and open nothing.")
    ] = False,
) -> None:
    """Serve pushed models over TensorFlow Serving's gRPC and REST APIs, on this machine.

    The newest version below ROOT/serving_model is loaded. A newer one takes over when it appears,
    without a failed request; one that cannot be loaded never replaces one that works; deleting the
    newest brings the one before back. For trying out and for tests: in production, TensorFlow
    Serving loads the same folders.

    Example: fulcrum serve --root runs/short_video --port 8500 --rest-port 8501

    Example: fulcrum serve --root runs/short_video --ui --versions all

    Example: fulcrum serve --model-config-file models.config, with model_config_list { config {
    name: "toy" base_path: "/runs/toy/serving_model" model_platform: "tensorflow" } }
    """
    _check_what_to_serve(root, model_config_file, monitoring_config_file, rest_port)
    _check_page_options(
        ui, ssl_config_file, meant_for_page=ui_port is not None or bool(ui_requests) or no_browser
    )
    import gc
    import logging
    import os
    import signal
    import sys
    import threading

    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    console = Console(soft_wrap=True, highlight=False)
    console.print("[dim]Loading TensorFlow …[/dim]")

    import tensorflow as tf

    from serving.model_server.config.config_file import ConfigFile
    from serving.model_server.config.server_config import ConfigError
    from serving.model_server.config.tls import server_credentials
    from serving.model_server.metrics import page_path
    from serving.model_server.server import LocalModelServer, PortError
    from serving.model_server.status_error import StatusError
    from serving.model_server.versions.served_model import ServedModel
    from serving.model_server.versions.version_policy import VersionPolicy
    from serving.ui.ranking_page import RankingPage

    # what is imported stays; looking through it at each collection would hold up requests
    gc.freeze()
    tf.get_logger().setLevel(logging.ERROR)
    logging.basicConfig(stream=sys.stdout, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    logging.getLogger("serving").setLevel(logging.INFO)

    stop = threading.Event()
    previous = {
        number: signal.signal(number, lambda *_: stop.set())
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    policy = VersionPolicy.ALL if versions == "all" else VersionPolicy.LATEST
    config_file = None
    if model_config_file is not None:
        config_file = ConfigFile(
            model_config_file,
            poll_s=model_config_file_poll_seconds,
            labels_may_wait=allow_version_labels_for_unavailable_models,
        )
    try:
        server = LocalModelServer(
            [] if root is None else [ServedModel(root, name=name, policy=policy)],
            host=host, port=port, poll_s=poll_seconds, config_file=config_file,
            as_tensor_content=enable_serialization_as_tensor_content,
            max_candidates=max_candidates, max_message_bytes=max_message_mb * 2**20,
            max_requests=max_concurrent_requests, threads=threads,
            credentials=server_credentials(ssl_config_file) if ssl_config_file else None,
            rest_host=rest_host, rest_port=rest_port,
            metrics_path=page_path(monitoring_config_file) if monitoring_config_file else None,
        )  # fmt: skip
        page = (
            RankingPage(server, 8502 if ui_port is None else ui_port, ui_requests or [])
            if ui
            else None
        )
        server.start()
    except (PortError, ConfigError, StatusError) as error:
        _fail(str(error))
    rest = (
        f" (gRPC) and [bold]{server.rest_target}[/bold] (REST)" if server.rest_target else " (gRPC)"
    )
    console.print(
        f"Listening on [bold]{server.target}[/bold]{rest}: {escape(_in_service(server.models.all))}"
    )
    if page is not None:
        _start_page(page, console, open_browser=not no_browser)
    # The system may hand a signal to a thread of TensorFlow or gRPC; Python runs the handler when
    # this thread wakes up.
    while not stop.wait(timeout=0.2):
        pass
    for number, handler in previous.items():
        signal.signal(number, handler)  # so that a second signal ends the draining
    console.print("Stopping: answering what is in flight …")
    if page is not None:
        page.stop()
    server.stop(drain_seconds)
    console.print("Stopped.")


def rank(
    *,
    request: Annotated[
        Path,
        typer.Option(
            help="JSON file with user, context, candidates and, if need be, weights and spec."
        ),
    ],
    target: Annotated[
        str, typer.Option(help="host:port of the model server's gRPC port.")
    ] = "127.0.0.1:8500",
    spec: Annotated[
        str | None,
        typer.Option(
            help="Feature spec: a YAML file or a ready one's name.",
            show_default="the one that the request file names",
        ),
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="Name of the model on the server.", show_default="the spec's")
    ] = None,
    weight: Annotated[
        list[str] | None,
        typer.Option(
            help="An exponent of the ranking formula for this request, as task=value or duration=value. Repeatable."
        ),
    ] = None,
    formula: Annotated[
        Path | None,
        typer.Option(
            help="YAML file of a ranking formula, as `fulcrum tune-formula` writes it. --weight goes before it."
        ),
    ] = None,
    explain: Annotated[
        bool,
        typer.Option("--explain", help="Show what each task contributes to the ranking score."),
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")] = False,
    timeout_ms: Annotated[
        float, typer.Option(help="Milliseconds to wait for an answer.", min=1.0)
    ] = 1000.0,
    max_candidates: Annotated[
        int | None,
        typer.Option(
            help="Candidates that one message carries at most; more are sent in parts and merged.",
            min=1,
            show_default="no limit",
        ),
    ] = None,
    label: Annotated[
        str | None,
        typer.Option(
            help="Ask the version behind this label, such as canary.",
            show_default="the newest version",
        ),
    ] = None,
    tls: Annotated[
        bool,
        typer.Option(
            "--tls",
            help="Encrypt. Implied by the certificate options, without which gRPC's own list holds.",
        ),
    ] = False,
    root_certificates: Annotated[
        Path | None,
        typer.Option(
            help="PEM file of the authorities that the server's certificate is checked against."
        ),
    ] = None,
    client_certificate: Annotated[
        Path | None,
        typer.Option(help="PEM file of the certificate to show the server, for mutual TLS."),
    ] = None,
    client_key: Annotated[
        Path | None, typer.Option(help="PEM file of that certificate's private key.")
    ] = None,
) -> None:
    """Rank the candidates of a request file with a served model.

    The file holds one user, one context and the candidates: {"spec": "short_video", "user":
    {"user_id": "u1"}, "context": {"hour": 20}, "candidates": [{"video_id": "v1", "duration_s":
    12.5}, {"video_id": "v2"}], "weights": {"ctr": 1.0}}

    Example: fulcrum rank --request request.json --weight ctr=2 --explain
    """
    from json import dumps

    from feature_spec.formula_file import load_formula, request_weights
    from feature_spec.loading import SpecError, load_spec, ready_specs
    from serving.client.ranking_client import RankingClient
    from serving.client.tls import Tls
    from serving.errors import RankingError
    from serving.rank.explanation import explain as explain_candidate
    from serving.rank.rank_report import explanation_table, ranking_table, report
    from serving.rank.request_file import read_request_file

    certificates = (root_certificates, client_certificate, client_key)
    encryption = Tls(
        root_certificates=root_certificates,
        client_certificate=client_certificate,
        client_key=client_key,
    )
    try:
        file = read_request_file(request)
        spec_source = spec or file.spec
        if spec_source is None:
            _fail(
                f'{request} names no spec: give --spec, or a key "spec". Ready specs: {", ".join(ready_specs())}'
            )
        loaded = load_spec(spec_source)
        weights = request_weights(load_formula(formula), loaded, formula) if formula else {}
        ranking_request = file.request(loaded, weights | _weights(weight or []))
        explanations = None
        with RankingClient(
            target,
            loaded,
            model_name=model,
            label=label,
            timeout_ms=timeout_ms,
            tls=encryption if tls or any(certificates) else None,
            max_candidates=max_candidates,
        ) as client:
            served = client.check() if explain else None
            ranked = client.rank(ranking_request)
        if served is not None:
            in_force = {**served.weights, **ranking_request.weights}
            explanations = [explain_candidate(loaded, candidate, in_force) for candidate in ranked]
    except (RankingError, SpecError) as error:
        _fail(str(error))
    if json:
        typer.echo(dumps(report(ranked, explanations), indent=2))
        return
    console = Console()
    console.print(ranking_table(ranked))
    if explanations is not None:
        console.print(explanation_table(explanations))
        if not all(explanation.agrees for explanation in explanations):
            console.print(
                "The products differ from the model's ranking scores: the model's formula has another duration transform than "
                "the spec given here, or another version answered.", style="yellow",
            )  # fmt: skip


def add_to(app: typer.Typer) -> None:
    """Registers the commands."""
    app.command("serve")(serve)
    app.command("rank")(rank)
    app.command("loadtest")(loadtest)


def _weights(texts: list[str]) -> dict[str, float]:
    """Weights given as ``name=value``."""
    weights = {}
    for text in texts:
        name, _, value = text.partition("=")
        try:
            weights[name] = float(value)
        except ValueError:
            _fail(f"--weight {text}: give a task and a number, such as --weight ctr=2.0")
    return weights


def _check_what_to_serve(
    root: Path | None,
    model_config_file: Path | None,
    monitoring_config_file: Path | None,
    rest_port: int | None,
) -> None:
    if (root is None) == (model_config_file is None):
        _fail("Say what to serve with --root or with --model-config-file, one of them.")
    if monitoring_config_file is not None and rest_port is None:
        _fail(
            "--monitoring-config-file: metrics are shown on the REST port: give --rest-port too, such as --rest-port 8501"
        )


def _check_page_options(ui: bool, ssl_config_file: Path | None, *, meant_for_page: bool) -> None:
    if meant_for_page and not ui:
        _fail("--ui-port, --ui-requests and --no-browser are for the page: give --ui too.")
    if ui and ssl_config_file is not None:
        _fail(
            "--ui: the page asks over gRPC as any client, without certificates: leave out --ui or --ssl-config-file."
        )


def _start_page(page: RankingPage, console: Console, *, open_browser: bool) -> None:
    import threading
    import webbrowser

    page.start()
    console.print(f"To try it in a browser: [bold]{page.url}[/bold]")
    if open_browser:
        # In a thread, because a browser for terminals returns only when it is closed.
        threading.Thread(target=webbrowser.open, args=[page.url], daemon=True).start()


def _in_service(models: list[ServedModel]) -> str:
    return "; ".join(map(_model_in_service, models)) or "no model is configured"


def _model_in_service(model: ServedModel) -> str:
    from serving.model_server.versions.version_folders import versions_root

    versions = model.available_versions()
    folder = versions_root(model.root)
    if versions:
        return f"model {model.name}, version{'s' * (len(versions) > 1)} {', '.join(map(str, versions))}, from {folder}"
    waiting = f"waiting for a first version in {folder}{'' if folder.exists() else ', which does not exist yet'}"
    return f"model {model.name}, {waiting}" if model.name else waiting


def _fail(text: str) -> NoReturn:
    Console(stderr=True, soft_wrap=True, highlight=False).print(f"[red]{escape(text)}[/red]")
    raise typer.Exit(1)
