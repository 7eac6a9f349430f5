"""Writes `tf_serving_api.binpb`: TensorFlow Serving's message types, from the installed packages.

`make protos` runs it after an update of tensorflow-serving-api or tensorflow. The client reads the
file instead of these packages, so it needs neither of them installed.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

from google.protobuf import descriptor_pb2

_FILE = Path(__file__).with_name("tf_serving_api.binpb")
_MODULES = ("get_model_metadata_pb2", "predict_pb2", "prediction_log_pb2")
_WITH_PROTOBUF = "google/protobuf/"  # these files come with the protobuf package itself


def installed_descriptors() -> bytes:
    """Return a FileDescriptorSet of the installed message types, each file after its imports."""
    files: dict[str, bytes] = {}

    def add(file: Any) -> None:
        if file.name in files or file.name.startswith(_WITH_PROTOBUF):
            return
        for dependency in file.dependencies:
            add(dependency)
        files[file.name] = file.serialized_pb

    for name in _MODULES:
        add(importlib.import_module(f"tensorflow_serving.apis.{name}").DESCRIPTOR)
    found = descriptor_pb2.FileDescriptorSet()
    for serialized in files.values():
        found.file.add().ParseFromString(serialized)
    return found.SerializeToString(deterministic=True)


if __name__ == "__main__":
    _FILE.write_bytes(installed_descriptors())
