"""Encryption of the connection to a model server."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import grpc

from serving.errors import TlsError


@dataclass(frozen=True, kw_only=True)
class Tls:
    """The TLS settings of a client; mutual TLS if it has a certificate. All files are PEM.

    Attributes:
        root_certificates: The certificates of the authorities that the server's is checked against.
            Defaults to gRPC's own list.
        client_certificate: The certificate chain that the client shows the server; it needs
            `client_key`.
        client_key: The client's private key.
        server_name: The name in the server's certificate, where it is not the one in the target.
    """

    root_certificates: Path | None = None
    client_certificate: Path | None = None
    client_key: Path | None = None
    server_name: str | None = None

    def credentials(self) -> grpc.ChannelCredentials:
        """Return the credentials for gRPC's channels.

        Raises:
            TlsError: A file cannot be used, or certificate or key is missing.
        """
        if (self.client_certificate is None) != (self.client_key is None):
            raise TlsError(
                "TLS: a client certificate and its key come together; received "
                f"client_certificate={self.client_certificate}, client_key={self.client_key}"
            )
        return grpc.ssl_channel_credentials(
            root_certificates=_pem(self.root_certificates),
            private_key=_pem(self.client_key),
            certificate_chain=_pem(self.client_certificate),
        )

    @property
    def channel_options(self) -> list[tuple[str, str]]:
        """Options of the channels beside the credentials."""
        return [("grpc.ssl_target_name_override", self.server_name)] if self.server_name else []


def _pem(path: Path | None) -> bytes | None:
    if path is None:
        return None
    try:
        content = path.read_bytes()
    except OSError as error:
        raise TlsError(f"TLS: {path}: cannot be read: {error.strerror or error}") from error
    if b"-----BEGIN " not in content:
        raise TlsError(f"TLS: {path}: not a PEM file; it has no line -----BEGIN …")
    return content
