"""The files of serving/deploy, each read by a parser of its kind."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from dockerfile_parse import DockerfileParser

DEPLOY = Path(__file__).resolve().parents[3] / "serving" / "deploy"


@pytest.fixture(scope="session")
def deploy() -> Path:
    return DEPLOY


@pytest.fixture(scope="session")
def manifests() -> dict[str, dict[str, Any]]:
    """Kubernetes objects by kind."""
    documents = [
        document
        for path in (DEPLOY / "kubernetes").glob("*.yaml")
        for document in yaml.safe_load_all(path.read_text())
    ]
    by_kind = {document["kind"]: document for document in documents}
    assert len(by_kind) == len(documents), "two objects of one kind"
    return by_kind


@pytest.fixture(scope="session")
def container(manifests) -> dict[str, Any]:
    """The model server's container in the Deployment."""
    (only,) = manifests["Deployment"]["spec"]["template"]["spec"]["containers"]
    return only


@pytest.fixture(scope="session")
def dockerfile(tmp_path_factory) -> DockerfileParser:
    """The Dockerfile; the parser reads a copy, because it could write."""
    parser = DockerfileParser(path=str(tmp_path_factory.mktemp("dockerfile")))
    parser.content = (DEPLOY / "Dockerfile").read_text()
    return parser


@pytest.fixture(scope="session")
def instruction(dockerfile) -> Callable[[str], str]:
    """The value of the one instruction of a name in the Dockerfile."""

    def value(name: str) -> str:
        (only,) = [step["value"] for step in dockerfile.structure if step["instruction"] == name]
        return only

    return value


@pytest.fixture(scope="session")
def flags(instruction) -> dict[str, str]:
    """Flags of the model server, by name, as the Dockerfile gives them."""
    return dict(flag.removeprefix("--").split("=", 1) for flag in json.loads(instruction("CMD")))


@pytest.fixture(scope="session")
def compose_text() -> str:
    """The compose file with its variables filled in, which compose does before it reads the file."""
    return re.sub(
        r"\$\{FULCRUM_ROOT:\?[^}]*\}", "/runs/short_video", (DEPLOY / "compose.yaml").read_text()
    )


@pytest.fixture(scope="session")
def service(compose_text) -> dict[str, Any]:
    """The model server in the compose file."""
    from compose_spec import PyCompose

    (only,) = PyCompose.from_yaml(compose_text).to_dict()["services"].values()
    return only


@pytest.fixture(scope="session")
def rules() -> list[dict[str, Any]]:
    """Recording rules and alerts."""
    groups = yaml.safe_load((DEPLOY / "prometheus" / "rules.yaml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


@pytest.fixture(scope="session")
def dashboard() -> dict[str, Any]:
    return json.loads((DEPLOY / "grafana" / "dashboard.json").read_text())


@pytest.fixture(scope="session")
def runbook() -> str:
    return (DEPLOY.parents[1] / "docs" / "runbook.md").read_text()
