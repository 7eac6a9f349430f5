"""Manifests of the pipeline on Flink, against the schemas of Kubernetes, Beam's options, and each other."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from tests.engines.flink_cluster import JOB_MANAGER, TASK_MANAGER

NEWEST_AND_OLDEST = ("1.37", "1.29")
OBJECTS = {
    ("Deployment", "beam-job-server"),
    ("Deployment", "flink-job-manager"),
    ("Deployment", "flink-task-manager"),
    ("Job", "fulcrum-run"),
    ("PersistentVolumeClaim", "fulcrum-shared"),
    ("Service", "beam-job-server"),
    ("Service", "flink-job-manager"),
}


def _options(arguments: list[str]) -> dict[str, str]:
    return dict(argument.removeprefix("--").split("=", 1) for argument in arguments)


def _beam_options(containers: dict[str, dict[str, Any]]) -> list[str]:
    return [
        one.removeprefix("--beam=")
        for one in containers["run"]["args"]
        if one.startswith("--beam=")
    ]


def _flink_properties(containers: dict[str, dict[str, Any]], name: str) -> dict[str, str]:
    (variable,) = containers[name]["env"]
    assert variable["name"] == "FLINK_PROPERTIES"
    return dict(line.split(": ") for line in variable["value"].splitlines())


def _addresses(service: dict[str, Any]) -> dict[str, str]:
    """host:port of a service by the name of its port."""
    return {
        port["name"]: f"{service['metadata']['name']}:{port['port']}"
        for port in service["spec"]["ports"]
    }


def test_there_is_what_a_session_cluster_and_a_run_need(objects):
    assert set(objects) == OBJECTS


@pytest.mark.parametrize("version", NEWEST_AND_OLDEST)
@pytest.mark.parametrize("which", sorted(OBJECTS), ids="-".join)
def test_a_manifest_follows_the_schema_and_has_no_unknown_key(objects, which, version):
    import kubernetes_validate

    kubernetes_validate.validate(objects[which], version, strict=True)


def test_the_schema_would_find_a_misspelt_key(objects):
    import kubernetes_validate

    misspelt = copy.deepcopy(objects["Job", "fulcrum-run"])
    misspelt["spec"]["backofLimit"] = 1
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(misspelt, NEWEST_AND_OLDEST[0], strict=True)


@pytest.mark.parametrize("name", ["beam-job-server", "flink-job-manager"])
def test_a_service_leads_to_the_ports_of_its_pods(objects, name):
    template = objects["Deployment", name]["spec"]["template"]
    assert objects["Service", name]["spec"]["selector"] == template["metadata"]["labels"]
    assert (
        objects["Deployment", name]["spec"]["selector"]["matchLabels"]
        == template["metadata"]["labels"]
    )
    (container,) = template["spec"]["containers"]
    open_ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert {
        port["targetPort"]: port["port"] for port in objects["Service", name]["spec"]["ports"]
    } == open_ports


def test_the_run_asks_the_job_server_and_its_own_image_is_what_workers_run(objects, containers):
    options = _options(_beam_options(containers))
    addresses = _addresses(objects["Service", "beam-job-server"])
    assert (options["job_endpoint"], options["artifact_endpoint"]) == (
        addresses["jobs"],
        addresses["artifacts"],
    )
    (pool,) = containers["worker-pool"]["ports"]
    assert options["environment_config"] == f"localhost:{pool['containerPort']}"
    assert (
        options["sdk_container_image"]
        == containers["run"]["image"]
        == containers["worker-pool"]["image"]
    )


def test_the_job_server_submits_to_the_job_manager_that_task_managers_join(objects, containers):
    server = _options(containers["job-server"]["args"])
    addresses = _addresses(objects["Service", "flink-job-manager"])
    assert server["flink-master"] == addresses["rest"]
    ports = {port["name"]: str(port["containerPort"]) for port in containers["job-server"]["ports"]}
    assert (server["job-port"], server["artifact-port"]) == (ports["jobs"], ports["artifacts"])
    for name in ("job-manager", "task-manager"):
        assert (
            f"{_flink_properties(containers, name)['jobmanager.rpc.address']}:6123"
            == addresses["rpc"]
        )
    assert (
        f"flink-job-manager:{_flink_properties(containers, 'job-manager')['blob.server.port']}"
        == addresses["blobs"]
    )


def test_the_run_fills_all_slots_with_a_worker_process_each(objects, containers):
    options = _options(_beam_options(containers))
    slots = int(_flink_properties(containers, "task-manager")["taskmanager.numberOfTaskSlots"])
    assert int(options["sdk_worker_parallelism"]) == slots
    assert (
        int(options["parallelism"])
        == slots * objects["Deployment", "flink-task-manager"]["spec"]["replicas"]
    )


def test_all_that_pods_share_lies_on_the_volume_that_they_all_mount_at_one_path(containers):
    sharing = {name for name in containers if name != "job-manager"}
    mounts = {
        name: [
            mount["mountPath"]
            for mount in containers[name]["volumeMounts"]
            if mount["name"] == "shared"
        ]
        for name in sharing
    }
    assert all(paths == ["/shared"] for paths in mounts.values()), mounts
    run, server = (
        _options(containers["run"]["args"][:3]),
        _options(containers["job-server"]["args"]),
    )
    for path in (run["logs"], run["root"], server["artifacts-dir"]):
        assert path.startswith("/shared/")


def test_flink_has_the_memory_that_its_container_has(containers):
    for name, role in (("job-manager", "jobmanager"), ("task-manager", "taskmanager")):
        megabytes = int(
            _flink_properties(containers, name)[f"{role}.memory.process.size"].removesuffix("m")
        )
        assert containers[name]["resources"]["limits"]["memory"] == f"{megabytes // 1024}Gi"


@pytest.mark.parametrize(("name", "needed"), [("job-manager", JOB_MANAGER), ("task-manager", TASK_MANAGER)])  # fmt: skip
def test_flink_has_what_the_cluster_of_the_tests_turned_out_to_need(containers, name, needed):
    assert needed.items() <= _flink_properties(containers, name).items()


def test_fulcrum_run_takes_the_arguments_of_the_run(containers, tmp_path):
    import typer

    from pipeline.commands import add_to
    from pipeline.commands.run_options import EXIT_CODES

    app = typer.Typer()
    add_to(app)
    command = typer.main.get_command(app).commands["run"]
    arguments = [one.replace("/shared/logs", str(tmp_path)) for one in containers["run"]["args"]]
    assert containers["run"]["command"] == ["fulcrum", "run"]
    assert list(command.make_context("run", arguments).params["beam"]) == _beam_options(containers)
    assert set(EXIT_CODES.values()) == {0, 1, 3}


def test_beam_knows_every_option_and_finds_them_valid_together(containers):
    from apache_beam.options import pipeline_options
    from apache_beam.options.pipeline_options_validator import PipelineOptionsValidator
    from apache_beam.runners.portability.portable_runner import PortableRunner

    from pipeline.commands.run_options import beam_arguments

    given = _beam_options(containers)
    options = pipeline_options.PipelineOptions(beam_arguments(given))
    assert set(_options(given)) <= options.get_all_options().keys()
    assert PipelineOptionsValidator(options, PortableRunner()).validate() == []


def test_a_refused_or_failed_run_is_not_tried_again_and_a_lost_pod_is(objects):
    (rule,) = objects["Job", "fulcrum-run"]["spec"]["podFailurePolicy"]["rules"]
    assert rule["action"] == "FailJob"
    # 137, killed, is not among them.
    assert rule["onExitCodes"]["values"] == [1, 2, 3]


def test_no_pod_runs_as_root(objects, containers):
    for document in objects.values():
        if "template" in document["spec"]:
            assert document["spec"]["template"]["spec"]["securityContext"]["runAsNonRoot"]
    for container in containers.values():
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
