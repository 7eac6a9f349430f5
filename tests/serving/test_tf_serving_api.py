"""The message types without TensorFlow."""

from __future__ import annotations

import subprocess
import sys

import pytest

ONLY_BASE_PACKAGES = """
import importlib.machinery, sys

class OnlyBasePackages:
    def find_spec(self, name, path=None, target=None):
        top = name.partition(".")[0]
        found = importlib.machinery.PathFinder.find_spec(top)
        installed = found is not None and "site-packages" in str(found.origin or found.submodule_search_locations)
        if installed and top not in BASE and not top.startswith("_"):
            raise ModuleNotFoundError(f"{name} is not among the base packages", name=name)

BASE = {"pydantic", "pydantic_core", "annotated_types", "typing_extensions", "typing_inspection", "yaml",
        "typer", "annotated_doc", "click", "shellingham", "rich", "markdown_it", "mdurl", "pygments", "grpc", "cygrpc", "google", "numpy"}
sys.meta_path.insert(0, OnlyBasePackages())
"""


@pytest.mark.parametrize(
    "module",
    [
        "fulcrum",
        "feature_spec.loading",
        "feature_spec.spec_tables",
        "serving.client.ranking_client",
        "serving.client.request_log",
        "serving.rank.rank_report",
        "serving.loadtest.load_test",
        "serving.commands",
    ],
)
def test_the_client_and_its_commands_need_only_the_base_packages(module):
    code = f"{ONLY_BASE_PACKAGES}\nimport {module}"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_other_packages_would_be_noticed():
    code = f"{ONLY_BASE_PACKAGES}\nimport tensorflow"
    result = subprocess.run(
        [sys.executable, "-c", code], check=False, capture_output=True, text=True
    )
    assert "tensorflow is not among the base packages" in result.stderr


@pytest.mark.tensorflow
def test_messages_have_the_wire_format_of_the_installed_api():
    from tensorflow_serving.apis import predict_pb2

    from serving import tf_serving_api

    own, installed = tf_serving_api.PredictRequest(), predict_pb2.PredictRequest()
    for request in (own, installed):
        request.model_spec.name = "toy"
        request.model_spec.version.value = 3
        request.inputs["x"].dtype = 1
        request.inputs["x"].tensor_shape.dim.add(size=2)
        request.inputs["x"].tensor_content = b"12345678"
    assert own.SerializeToString() == installed.SerializeToString()
    assert own.DESCRIPTOR.file.serialized_pb == installed.DESCRIPTOR.file.serialized_pb


@pytest.mark.tensorflow
def test_the_vendored_descriptors_are_those_of_the_installed_packages():
    from pathlib import Path

    from serving import protos, tf_serving_api

    vendored = Path(tf_serving_api.__file__).with_name("tf_serving_api.binpb").read_bytes()
    assert vendored == protos.installed_descriptors(), "run make protos"
