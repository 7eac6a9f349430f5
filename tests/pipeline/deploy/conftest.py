"""The files of pipeline/deploy, each read by a parser of its kind."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from dockerfile_parse import DockerfileParser

DEPLOY = Path(__file__).resolve().parents[3] / "pipeline" / "deploy"


@pytest.fixture(scope="session")
def objects() -> dict[tuple[str, str], dict[str, Any]]:
    """Kubernetes objects by kind and name."""
    documents = [
        document
        for path in (DEPLOY / "kubernetes").glob("*.yaml")
        for document in yaml.safe_load_all(path.read_text())
    ]
    by_name = {(document["kind"], document["metadata"]["name"]): document for document in documents}
    assert len(by_name) == len(documents), "two objects of one kind and name"
    return by_name


@pytest.fixture(scope="session")
def containers(objects) -> dict[str, dict[str, Any]]:
    """Containers of all pods by name."""
    pods = [
        document["spec"]["template"]["spec"]
        for document in objects.values()
        if "template" in document["spec"]
    ]
    return {container["name"]: container for pod in pods for container in pod["containers"]}


@pytest.fixture(scope="session")
def dockerfile(tmp_path_factory) -> DockerfileParser:
    """The Dockerfile; the parser reads a copy, because it could write."""
    parser = DockerfileParser(path=str(tmp_path_factory.mktemp("dockerfile")))
    parser.content = (DEPLOY / "Dockerfile").read_text()
    return parser


@pytest.fixture(scope="session")
def build_arguments(dockerfile) -> dict[str, str]:
    """Defaults of the Dockerfile's ARGs."""
    return dict(
        step["value"].split("=") for step in dockerfile.structure if step["instruction"] == "ARG"
    )
