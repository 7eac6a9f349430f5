"""`fulcrum serve`."""

from __future__ import annotations

import gc
import logging
import os
import signal
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.console import Console
from rich.markup import escape

from serving.commands.connection_options import fail

if TYPE_CHECKING:
    from serving.client.request_log import RequestLog
    from serving.model_server.server import LocalModelServer
    from serving.model_server.versions.served_model import ServedModel
    from serving.ui.ranking_page import RankingPage

# The options, by topic. Each type is one option; the topics are the panels of --help.

_MODELS, _GRPC, _REST = "Models and versions", "gRPC", "REST and metrics"
_LIMITS, _PAGE = "Limits and speed", "Page in the browser"
_DEFAULT_PAGE_PORT = 8502

_Root = Annotated[
    Path | None,
    typer.Option(
        help="A pipeline's root, or a folder of versions named by numbers.",
        rich_help_panel=_MODELS,
    ),
]
_Name = Annotated[
    str | None,
    typer.Option(
        help="Name of the model of --root in requests.",
        show_default="that of the spec the model was trained with",
        rich_help_panel=_MODELS,
    ),
]
_Versions = Annotated[
    Literal["latest", "all"],
    typer.Option(
        help="Versions of --root kept loaded: the newest that loads, or all.",
        rich_help_panel=_MODELS,
    ),
]
_PollSeconds = Annotated[
    float,
    typer.Option(
        help="Seconds between two looks for new versions.", min=0.05, rich_help_panel=_MODELS
    ),
]
_ModelConfigFile = Annotated[
    Path | None,
    typer.Option(
        help="In place of --root: several models, as TensorFlow Serving's ModelServerConfig in "
        "text form.",
        rich_help_panel=_MODELS,
    ),
]
_ModelConfigFilePollSeconds = Annotated[
    float,
    typer.Option(
        help="Seconds between two looks at that file; 0: it is read at the start only.",
        min=0.0,
        rich_help_panel=_MODELS,
    ),
]
_LabelsMayWait = Annotated[
    bool,
    typer.Option(
        "--allow-version-labels-for-unavailable-models",
        help="Let new labels name versions that are not loaded yet.",
        rich_help_panel=_MODELS,
    ),
]

_Port = Annotated[
    int,
    typer.Option(
        help="Port for gRPC; 0 lets the system choose.", min=0, max=65535, rich_help_panel=_GRPC
    ),
]
_Host = Annotated[
    str,
    typer.Option(
        help="Address to listen on for gRPC. Nothing is encrypted without --ssl-config-file: leave "
        "loopback only in a trusted network.",
        rich_help_panel=_GRPC,
    ),
]
_SslConfigFile = Annotated[
    Path | None,
    typer.Option(
        help="Encrypt gRPC, and ask for client certificates if the file says so: TensorFlow "
        "Serving's SSLConfig as text.",
        rich_help_panel=_GRPC,
    ),
]
_TensorContent = Annotated[
    bool,
    typer.Option(
        "--enable-serialization-as-tensor-content",
        help="Answer numbers as bytes, which is quicker.",
        rich_help_panel=_GRPC,
    ),
]

_RestPort = Annotated[
    int | None,
    typer.Option(
        help="Port for REST; 0 lets the system choose.",
        min=0,
        max=65535,
        show_default="no REST",
        rich_help_panel=_REST,
    ),
]
_RestHost = Annotated[
    str,
    typer.Option(
        help="Address to listen on for REST, which is never encrypted: leave loopback only in a "
        "trusted network.",
        rich_help_panel=_REST,
    ),
]
_MonitoringConfigFile = Annotated[
    Path | None,
    typer.Option(
        help="Show Prometheus metrics on the REST port: TensorFlow Serving's MonitoringConfig as "
        "text.",
        rich_help_panel=_REST,
    ),
]

_MaxCandidates = Annotated[
    int | None,
    typer.Option(
        help="Most candidates in a request.",
        min=1,
        show_default="any number",
        rich_help_panel=_LIMITS,
    ),
]
_MaxMessageMb = Annotated[
    int, typer.Option(help="Largest request in MiB.", min=1, max=2047, rich_help_panel=_LIMITS)
]
_MaxConcurrentRequests = Annotated[
    int,
    typer.Option(
        help="Most requests being answered or waiting at one time; beyond it, the answer is "
        "RESOURCE_EXHAUSTED.",
        min=1,
        rich_help_panel=_LIMITS,
    ),
]
_RequestLogFolder = Annotated[
    Path | None,
    typer.Option(
        "--request-log",
        metavar="FOLDER",
        help="Folder for a sample of the requests of Predict and their answers, as `fulcrum skew` "
        "reads them.",
        file_okay=False,
        rich_help_panel=_GRPC,
        show_default="no log",
    ),
]
_Sample = Annotated[
    float | None,
    typer.Option(
        help="Share of the requests that --request-log keeps.",
        min=0.0,
        max=1.0,
        show_default="1, all",
        rich_help_panel=_GRPC,
    ),
]
_Threads = Annotated[
    int,
    typer.Option(
        help="Requests answered at one time; the models have threads of their own.",
        min=1,
        rich_help_panel=_LIMITS,
    ),
]
_IntraOpThreads = Annotated[
    int,
    typer.Option(
        help="Threads over which the operations of requests are spread. As many as cores answer a "
        "lone request soonest; 1 answers the most requests of many clients.",
        min=0,
        show_default="0, as many as cores",
        rich_help_panel=_LIMITS,
    ),
]
_DrainSeconds = Annotated[
    float,
    typer.Option(
        help="Seconds that requests in flight get to finish at the end.",
        min=0.0,
        rich_help_panel=_LIMITS,
    ),
]

_Ui = Annotated[
    bool,
    typer.Option(
        "--ui",
        help="Open a page in the browser: rank logged users' candidates, move the formula's "
        "weights.",
        rich_help_panel=_PAGE,
    ),
]
_UiPort = Annotated[
    int | None,
    typer.Option(
        help="Port of the page, on loopback only; 0 lets the system choose.",
        min=0,
        max=65535,
        show_default=str(_DEFAULT_PAGE_PORT),
        rich_help_panel=_PAGE,
    ),
]
_UiRequests = Annotated[
    list[Path] | None,
    typer.Option(
        help="Requests for the page: a JSON file as for `fulcrum rank`, or a request log. "
        "Repeatable.",
        exists=True,
        dir_okay=False,
        show_default="the root's evaluation split, else the version's warm-up file",
        rich_help_panel=_PAGE,
    ),
]
_NoBrowser = Annotated[
    bool,
    typer.Option(
        "--no-browser",
        help="Print the page's address and open nothing.",
        rich_help_panel=_PAGE,
    ),
]


def serve(
    *,
    root: _Root = None,
    name: _Name = None,
    versions: _Versions = "latest",
    poll_seconds: _PollSeconds = 1.0,
    model_config_file: _ModelConfigFile = None,
    model_config_file_poll_seconds: _ModelConfigFilePollSeconds = 0.0,
    allow_version_labels_for_unavailable_models: _LabelsMayWait = False,
    port: _Port = 8500,
    host: _Host = "127.0.0.1",
    ssl_config_file: _SslConfigFile = None,
    enable_serialization_as_tensor_content: _TensorContent = False,
    request_log: _RequestLogFolder = None,
    sample: _Sample = None,
    rest_port: _RestPort = None,
    rest_host: _RestHost = "127.0.0.1",
    monitoring_config_file: _MonitoringConfigFile = None,
    max_candidates: _MaxCandidates = None,
    max_message_mb: _MaxMessageMb = 64,
    max_concurrent_requests: _MaxConcurrentRequests = 256,
    threads: _Threads = 4,
    intra_op_threads: _IntraOpThreads = 0,
    drain_seconds: _DrainSeconds = 30.0,
    ui: _Ui = False,
    ui_port: _UiPort = None,
    ui_requests: _UiRequests = None,
    no_browser: _NoBrowser = False,
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
    meant_for_page = ui_port is not None or bool(ui_requests) or no_browser
    _check_page_options(ui, ssl_config_file, meant_for_page=meant_for_page)
    console = Console(soft_wrap=True, highlight=False)
    console.print("[dim]Loading TensorFlow …[/dim]")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # A server needs no Keras; TensorFlow loads one, and Keras 3 brings scikit-learn and pictures.
    os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")

    from serving.model_server.config.config_file import ConfigFile
    from serving.model_server.config.server_config import ConfigError, server_credentials
    from serving.model_server.metrics import page_path
    from serving.model_server.server import LocalModelServer, PortError
    from serving.model_server.status_error import StatusError
    from serving.model_server.versions.served_model import ServedModel
    from serving.model_server.versions.version import VersionPolicy
    from serving.ui.ranking_page import RankingPage

    _prepare_process()
    policy = VersionPolicy.ALL if versions == "all" else VersionPolicy.LATEST
    config_file = None
    if model_config_file is not None:
        config_file = ConfigFile(
            model_config_file,
            poll_s=model_config_file_poll_seconds,
            labels_may_wait=allow_version_labels_for_unavailable_models,
        )
    stop = _StopSignals()
    page = None
    log = _log_in(request_log, sample)
    try:
        server = LocalModelServer(
            [] if root is None else [ServedModel(root, name=name, policy=policy)],
            host=host,
            port=port,
            poll_s=poll_seconds,
            config_file=config_file,
            as_tensor_content=enable_serialization_as_tensor_content,
            max_candidates=max_candidates,
            max_message_bytes=max_message_mb * 2**20,
            max_requests=max_concurrent_requests,
            threads=threads,
            intra_op_threads=intra_op_threads,
            credentials=server_credentials(ssl_config_file) if ssl_config_file else None,
            rest_host=rest_host,
            rest_port=rest_port,
            metrics_path=page_path(monitoring_config_file) if monitoring_config_file else None,
            request_log=log,
        )
        if ui:
            page_port = _DEFAULT_PAGE_PORT if ui_port is None else ui_port
            page = RankingPage(server, page_port, ui_requests or [])
        server.start()
    except (PortError, ConfigError, StatusError) as error:
        fail(str(error))
    _announce(server, console)
    if page is not None:
        _start_page(page, console, open_browser=not no_browser)
    stop.wait()
    console.print("Stopping: answering what is in flight …")
    if page is not None:
        page.stop()
    server.stop(drain_seconds)
    if log is not None:
        _close(log, console)
    console.print("Stopped.")


def _check_what_to_serve(
    root: Path | None,
    model_config_file: Path | None,
    monitoring_config_file: Path | None,
    rest_port: int | None,
) -> None:
    if (root is None) == (model_config_file is None):
        fail("Say what to serve with --root or with --model-config-file, one of them.")
    if monitoring_config_file is not None and rest_port is None:
        fail(
            "--monitoring-config-file: metrics are shown on the REST port: give --rest-port too, "
            "such as --rest-port 8501"
        )


def _check_page_options(ui: bool, ssl_config_file: Path | None, *, meant_for_page: bool) -> None:
    if meant_for_page and not ui:
        fail("--ui-port, --ui-requests and --no-browser are for the page: give --ui too.")
    if ui and ssl_config_file is not None:
        fail(
            "--ui: the page asks over gRPC as any client, without certificates: leave out --ui or "
            "--ssl-config-file."
        )


def _log_in(folder: Path | None, sample: float | None) -> RequestLog | None:
    """Open the log of requests; None without a folder."""
    if folder is None:
        if sample is not None:
            fail("--sample is for the requests that are logged: give --request-log too.")
        return None
    from serving.client.request_log import RequestLog

    try:
        return RequestLog(folder, sampling_rate=1.0 if sample is None else sample)
    except OSError as error:
        fail(f"--request-log {folder}: cannot be written: {error.strerror}")


def _close(log: RequestLog, console: Console) -> None:
    log.close()
    counts = log.counts
    console.print(
        f"{counts.seen:,} requests = {counts.written:,} in {log.folder} + "
        f"{counts.skipped:,} not in the sample + "
        f"{counts.dropped + counts.failed + counts.waiting:,} lost"
    )


def _prepare_process() -> None:
    """Set up log lines and garbage collection, after everything is imported."""
    import tensorflow as tf

    # Imported modules stay. Looking through them at each collection would hold up requests.
    gc.freeze()
    tf.get_logger().setLevel(logging.ERROR)
    logging.basicConfig(stream=sys.stdout, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    logging.getLogger("serving").setLevel(logging.INFO)


class _StopSignals:
    """Catches the signals that end the server, from construction until `wait` returns."""

    def __init__(self) -> None:
        self._stop = threading.Event()
        self._previous = {
            number: signal.signal(number, lambda *_: self._stop.set())
            for number in (signal.SIGINT, signal.SIGTERM)
        }

    def wait(self) -> None:
        """Wait for a signal, then put the handlers back, so that a second signal ends at once."""
        # The system may hand a signal to a thread of TensorFlow or gRPC; Python runs the handler
        # when this thread wakes up.
        while not self._stop.wait(timeout=0.2):
            pass
        for number, handler in self._previous.items():
            signal.signal(number, handler)


def _announce(server: LocalModelServer, console: Console) -> None:
    rest = " (gRPC)"
    if server.rest_target:
        rest = f" (gRPC) and [bold]{server.rest_target}[/bold] (REST)"
    models = "; ".join(map(_model_in_service, server.models.all)) or "no model is configured"
    console.print(f"Listening on [bold]{server.target}[/bold]{rest}: {escape(models)}")


def _model_in_service(model: ServedModel) -> str:
    from serving.model_server.versions.version import versions_root

    versions = model.available_versions()
    folder = versions_root(model.root)
    if versions:
        numbers = ", ".join(map(str, versions))
        return f"model {model.name}, version{'s' * (len(versions) > 1)} {numbers}, from {folder}"
    missing = "" if folder.exists() else ", which does not exist yet"
    waiting = f"waiting for a first version in {folder}{missing}"
    return f"model {model.name}, {waiting}" if model.name else waiting


def _start_page(page: RankingPage, console: Console, *, open_browser: bool) -> None:
    import webbrowser  # which every command of fulcrum would load

    page.start()
    console.print(f"To try it in a browser: [bold]{page.url}[/bold]")
    if open_browser:
        # In a thread, because a browser for terminals returns only when it is closed.
        threading.Thread(target=webbrowser.open, args=[page.url], daemon=True).start()
