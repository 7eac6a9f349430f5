"""TensorFlow Serving's configuration files for monitoring and TLS, in protobuf's text form.

`tensorflow-serving-api` does not bring these two messages, so they are declared here, in a pool of
their own: a version that does bring them sees no conflict.
"""

from __future__ import annotations

import ssl
import tempfile
from pathlib import Path
from typing import Any

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, text_format

_DECLARED = """
name: "fulcrum/server_config.proto" package: "tensorflow.serving" syntax: "proto3"
message_type {
  name: "PrometheusConfig"
  field { name: "enable" number: 1 label: LABEL_OPTIONAL type: TYPE_BOOL }
  field { name: "path" number: 2 label: LABEL_OPTIONAL type: TYPE_STRING }
}
message_type {
  name: "MonitoringConfig"
  field {
    name: "prometheus_config" number: 1 label: LABEL_OPTIONAL
    type: TYPE_MESSAGE type_name: ".tensorflow.serving.PrometheusConfig"
  }
}
message_type {
  name: "SSLConfig"
  field { name: "server_key" number: 1 label: LABEL_OPTIONAL type: TYPE_STRING }
  field { name: "server_cert" number: 2 label: LABEL_OPTIONAL type: TYPE_STRING }
  field { name: "custom_ca" number: 3 label: LABEL_OPTIONAL type: TYPE_STRING }
  field { name: "client_verify" number: 4 label: LABEL_OPTIONAL type: TYPE_BOOL }
}
"""
_pool = descriptor_pool.DescriptorPool()
_pool.Add(text_format.Parse(_DECLARED, descriptor_pb2.FileDescriptorProto()))

MonitoringConfig = message_factory.GetMessageClass(
    _pool.FindMessageTypeByName("tensorflow.serving.MonitoringConfig")
)
SSLConfig = message_factory.GetMessageClass(
    _pool.FindMessageTypeByName("tensorflow.serving.SSLConfig")
)


class ConfigError(ValueError):
    """A configuration file that cannot be used: its name, the place, and what is valid."""


def read_config(file: Path, message: type[Any]) -> Any:
    """Read a file in the text form of protobuf.

    Args:
        file: The path of the file.
        message: The type of the message in the file.

    Raises:
        ConfigError: The file cannot be read, or holds something else.
    """
    try:
        return text_format.Parse(file.read_text(encoding="utf-8"), message())
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file} cannot be read: {error}") from error
    except text_format.ParseError as error:
        fields = ", ".join(field.name for field in message.DESCRIPTOR.fields)
        raise ConfigError(
            f"{file}:{error}. It holds a {message.DESCRIPTOR.name}, with the fields: {fields}"
        ) from error


def server_credentials(file: Path) -> grpc.ServerCredentials:
    """Return the credentials of a server, from its ssl config file.

    Args:
        file: A file with an ``SSLConfig``: the PEM texts of ``server_key`` and ``server_cert``, not
            paths; with ``client_verify``, clients must show a certificate that ``custom_ca``
            signed.

    Raises:
        ConfigError: The file cannot be used.
    """
    config = read_config(file, SSLConfig)
    needed = ["server_key", "server_cert", *(["custom_ca"] if config.client_verify else [])]
    for field in needed:
        if "-----BEGIN" not in getattr(config, field):
            why = " to verify clients by" if field == "custom_ca" else ""
            raise ConfigError(
                f"{file}: {field} must hold a PEM text{why}, which begins with -----BEGIN; the "
                "text, not a path"
            )
    _check_pair(file, config)
    return grpc.ssl_server_credentials(
        [(config.server_key.encode(), config.server_cert.encode())],
        root_certificates=config.custom_ca.encode() or None,
        require_client_auth=config.client_verify,
    )


def _check_pair(file: Path, config: Any) -> None:
    """Refuse a key and a certificate that do not belong together.

    gRPC would only say that it cannot listen. Python reads keys from files only.
    """
    with tempfile.NamedTemporaryFile(mode="w", suffix=".pem") as pem:
        pem.write(f"{config.server_key}\n{config.server_cert}\n")
        pem.flush()
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(pem.name)
        except ssl.SSLError as error:
            raise ConfigError(
                f"{file}: server_key and server_cert are no pair that can be used: {error.reason}"
            ) from error
