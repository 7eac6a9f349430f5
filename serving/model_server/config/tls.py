"""TLS for gRPC, from TensorFlow Serving's ssl config file."""

from __future__ import annotations

import ssl
import tempfile
from pathlib import Path
from typing import Any

import grpc

from serving.model_server.config.server_config import ConfigError, SSLConfig, read_config


def server_credentials(file: Path) -> grpc.ServerCredentials:
    """What a server proves itself with, and asks of its clients.

    Args:
        file: holds an ``SSLConfig``: the PEM texts of ``server_key`` and ``server_cert``, not
            paths; with ``client_verify``, clients must show a certificate that ``custom_ca``
            signed.

    Raises:
        ConfigError: the file cannot be used.
    """
    config = read_config(file, SSLConfig)
    needed = ["server_key", "server_cert", *(["custom_ca"] if config.client_verify else [])]
    for field in needed:
        if "-----BEGIN" not in getattr(config, field):
            why = " to verify clients by" if field == "custom_ca" else ""
            raise ConfigError(
                f"{file}: {field} must hold a PEM text{why}, which begins with -----BEGIN; the text, not a path"
            )
    _check_pair(file, config)
    return grpc.ssl_server_credentials(
        [(config.server_key.encode(), config.server_cert.encode())],
        root_certificates=config.custom_ca.encode() or None,
        require_client_auth=config.client_verify,
    )


def _check_pair(file: Path, config: Any) -> None:
    """Refuses what is no pair: gRPC would only say that it cannot listen. Python reads keys from files alone."""
    with tempfile.NamedTemporaryFile(mode="w", suffix=".pem") as pem:
        pem.write(f"{config.server_key}\n{config.server_cert}\n")
        pem.flush()
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(pem.name)
        except ssl.SSLError as error:
            raise ConfigError(
                f"{file}: server_key and server_cert are no pair that can be used: {error.reason}"
            ) from error
