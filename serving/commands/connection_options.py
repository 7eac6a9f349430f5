"""Options of a connection to a model server, and the end of a command that fails."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer
from rich.console import Console
from rich.markup import escape

if TYPE_CHECKING:
    from serving.client.tls import Tls

SERVER, ENCRYPTION = "Server", "Encryption"

Target = Annotated[
    str,
    typer.Option(help="host:port of the model server's gRPC port.", rich_help_panel=SERVER),
]
Model = Annotated[
    str | None,
    typer.Option(
        help="Name of the model on the server.",
        show_default="the spec's",
        rich_help_panel=SERVER,
    ),
]
Label = Annotated[
    str | None,
    typer.Option(
        help="Ask the version behind this label, such as canary.",
        show_default="the newest version",
        rich_help_panel=SERVER,
    ),
]
UseTls = Annotated[
    bool,
    typer.Option(
        "--tls",
        help="Encrypt. The certificate options imply it. Without --root-certificates, gRPC's own "
        "list of authorities applies.",
        rich_help_panel=ENCRYPTION,
    ),
]
RootCertificates = Annotated[
    Path | None,
    typer.Option(
        help="PEM file of the authorities that the server's certificate is checked against.",
        rich_help_panel=ENCRYPTION,
    ),
]
ClientCertificate = Annotated[
    Path | None,
    typer.Option(
        help="PEM file of the certificate to show the server, for mutual TLS.",
        rich_help_panel=ENCRYPTION,
    ),
]
ClientKey = Annotated[
    Path | None,
    typer.Option(help="PEM file of that certificate's private key.", rich_help_panel=ENCRYPTION),
]


def tls_settings(
    use: bool,
    root_certificates: Path | None,
    client_certificate: Path | None,
    client_key: Path | None,
) -> Tls | None:
    """Return the TLS settings that the options of a command ask for; None for no encryption."""
    from serving.client.tls import Tls

    if not (use or root_certificates or client_certificate or client_key):
        return None
    return Tls(
        root_certificates=root_certificates,
        client_certificate=client_certificate,
        client_key=client_key,
    )


def time_of(option: str, text: str) -> datetime.datetime:
    """Return the time that an option names, in UTC where it has no zone; end the command if none.

    Args:
        option: the option, for the error.
        text: a time in ISO 8601.
    """
    try:
        moment = datetime.datetime.fromisoformat(text)
    except ValueError:
        fail(f"{option} {text}: give a time such as 2026-11-30T12:00:00+08:00")
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=datetime.UTC)


def fail(text: str) -> NoReturn:
    """Print an error and end the command with exit status 1."""
    Console(stderr=True, soft_wrap=True, highlight=False).print(f"[red]{escape(text)}[/red]")
    raise typer.Exit(1)
