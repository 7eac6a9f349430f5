"""The image of Beam's workers, and the package that Beam ships where an image lacks the project."""

from __future__ import annotations

import json
import re
import tarfile

import pytest

from tests.wheel import PACKAGES, REPOSITORY, project_copy


def _locked(package: str) -> str:
    """The version in the lock."""
    found = re.search(
        rf"^{package}==([^ ]+) ", (REPOSITORY / "requirements.lock").read_text(), re.MULTILINE
    )
    assert found
    return found[1]


def test_workers_have_the_locks_version_of_beam_and_a_python_it_covers(build_arguments):
    assert build_arguments["BEAM_VERSION"] == _locked("apache-beam")
    assert build_arguments["PYTHON_VERSION"] in {"3.11", "3.12", "3.13"}


def test_job_server_and_cluster_are_of_one_flink_that_this_beam_supports(
    containers, build_arguments
):
    from apache_beam.options.pipeline_options import FlinkRunnerOptions

    flink = {
        containers[name]["image"].removeprefix("flink:").split("-")[0]
        for name in ("job-manager", "task-manager")
    }
    (version,) = flink
    assert version in FlinkRunnerOptions.PUBLISHED_FLINK_VERSIONS
    assert (
        containers["job-server"]["image"]
        == f"apache/beam_flink{version}_job_server:{build_arguments['BEAM_VERSION']}"
    )


def test_the_image_has_every_package_and_what_the_installation_reads(dockerfile):
    copied = {
        source.rstrip("/")
        for step in dockerfile.structure
        if step["instruction"] == "COPY" and "--from" not in step["value"]
        for source in step["value"].split()[:-1]
    }
    assert copied == {
        *PACKAGES,
        "requirements.lock",
        "setup.py",
        "pyproject.toml",
        "README.md",
        "LICENSE",
    }
    assert all((REPOSITORY / source).exists() for source in copied)


def test_nothing_is_resolved_when_the_image_is_built(dockerfile):
    installations = [
        json.loads(step["value"]) for step in dockerfile.structure if step["instruction"] == "RUN"
    ]
    assert len(installations) == 2
    assert all("--no-deps" in command for command in installations)


def test_the_manifests_name_the_image_user_port_and_arguments_as_it_has_them(
    dockerfile, objects, containers
):
    steps = {step["instruction"]: step["value"] for step in dockerfile.structure}
    pool = containers["worker-pool"]
    assert pool["args"] == json.loads(steps["CMD"]) == ["--worker_pool"]
    assert json.loads(steps["ENTRYPOINT"]) == ["/opt/apache/beam/boot"]
    assert str(pool["ports"][0]["containerPort"]) == steps["EXPOSE"]
    assert f"--tag {pool['image']} " in dockerfile.content
    for name in ("Deployment", "flink-task-manager"), ("Job", "fulcrum-run"):
        context = objects[name]["spec"]["template"]["spec"]["securityContext"]
        assert f"{context['runAsUser']}:{context['runAsGroup']}" == steps["USER"]


@pytest.mark.slow
def test_setup_file_ships_every_module_and_spec(tmp_path, monkeypatch):
    from apache_beam.runners.portability.stager import Stager

    project = project_copy(tmp_path)
    (tmp_path / "built").mkdir()
    built = Stager._build_setup_package(str(project / "setup.py"), str(tmp_path / "built"))
    with tarfile.open(built) as archive:
        shipped = {name.partition("/")[2] for name in archive.getnames()}
    needed = [
        path
        for package in PACKAGES
        for ending in ("*.py", "*.yaml")
        for path in (project / package).rglob(ending)
    ]
    assert {path.relative_to(project).as_posix() for path in needed} <= shipped
