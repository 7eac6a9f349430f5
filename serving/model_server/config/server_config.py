"""TensorFlow Serving's configuration files for monitoring and for TLS, in the text form of protobuf.

`tensorflow-serving-api` does not bring these two messages, so they are declared here, in a pool of
their own: a version that does bring them sees no conflict.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

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
    """Reads a file in the text form of protobuf.

    Args:
        file: its path.
        message: the message that it holds.

    Raises:
        ConfigError: the file cannot be read, or holds something else.
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
