"""The model server's flags and configuration files: the same in the image, in compose and in Kubernetes."""

from __future__ import annotations

import json

import pytest
import yaml

# `tensorflow_model_server --help` of 2.19.1.
KNOWN_FLAGS = {
    "allow_version_labels_for_unavailable_models",
    "batching_parameters_file",
    "enable_batching",
    "enable_grpc_healthcheck_service",
    "enable_model_warmup",
    "enable_per_model_batching_parameters",
    "enable_profiler",
    "enable_serialization_as_tensor_content",
    "enable_signature_method_name_check",
    "file_system_poll_wait_seconds",
    "flush_filesystem_caches",
    "grpc_channel_arguments",
    "grpc_max_threads",
    "grpc_socket_path",
    "load_retry_interval_micros",
    "max_num_load_retries",
    "mixed_precision",
    "model_base_path",
    "model_config_file",
    "model_config_file_poll_wait_seconds",
    "model_name",
    "monitoring_config_file",
    "num_load_threads",
    "num_request_iterations_for_warmup",
    "num_tflite_interpreters_per_pool",
    "num_tflite_pools",
    "num_unload_threads",
    "per_process_gpu_memory_fraction",
    "platform_config_file",
    "port",
    "prefer_tflite_model",
    "remove_unused_fields_from_bundle_metagraph",
    "rest_api_enable_cors_support",
    "rest_api_num_threads",
    "rest_api_port",
    "rest_api_timeout_in_ms",
    "saved_model_tags",
    "skip_initialize_tpu",
    "ssl_config_file",
    "tensorflow_inter_op_parallelism",
    "tensorflow_intra_op_parallelism",
    "tensorflow_session_config_file",
    "tensorflow_session_parallelism",
    "thread_pool_factory_config_file",
    "use_alts_credentials",
    "version",
    "xla_cpu_compilation_enabled",
    "xla_gpu_compilation_enabled",
}


def test_every_flag_is_one_of_the_server(flags):
    assert set(flags) <= KNOWN_FLAGS


def test_batching_is_off_because_it_refuses_every_ranking_request(flags):
    assert not [name for name in flags if "batching" in name]


def test_kubernetes_gives_the_flags_of_the_image(container, flags):
    assert [f"--{name}={value}" for name, value in flags.items()] == container["args"]


def test_compose_leaves_the_flags_to_the_image(service):
    assert "command" not in service
    assert "entrypoint" not in service


def test_no_model_comes_from_the_environment_as_the_script_of_the_image_would_have_it(
    instruction, container
):
    assert (
        json.loads(instruction("ENTRYPOINT")) == container["command"] == ["tensorflow_model_server"]
    )


def test_every_flag_is_explained_in_the_runbook(flags, runbook):
    assert [name for name in flags if f"`--{name}" not in runbook] == []


@pytest.fixture
def model_configs(deploy):
    """The models that each model config file serves, by the file's name."""
    from google.protobuf import text_format
    from tensorflow_serving.config.model_server_config_pb2 import ModelServerConfig

    files = (deploy / "config").glob("models*.config")
    return {
        path.name: text_format.Parse(path.read_text(), ModelServerConfig()).model_config_list.config
        for path in files
    }


def test_the_model_is_the_same_in_every_file(model_configs, container, instruction):
    (model,), (canary,) = model_configs["models.config"], model_configs["models_canary.config"]
    assert (model.name, model.base_path, model.model_platform) == (
        "short_video",
        "/models/short_video",
        "tensorflow",
    )
    assert (canary.name, canary.base_path, canary.model_platform) == (
        model.name,
        model.base_path,
        model.model_platform,
    )
    path = f"/v1/models/{model.name}/metadata"
    assert {
        container[probe]["httpGet"]["path"] for probe in ("startupProbe", "readinessProbe")
    } == {path}
    assert f"8501{path}" in instruction("HEALTHCHECK")


def test_the_newest_version_is_served(model_configs):
    (model,) = model_configs["models.config"]
    assert model.model_version_policy.latest.num_versions == 1


def test_the_labels_of_the_canary_are_on_versions_that_are_loaded(model_configs):
    (canary,) = model_configs["models_canary.config"]
    assert sorted(canary.version_labels) == ["canary", "stable"]
    assert set(canary.version_labels.values()) == set(canary.model_version_policy.specific.versions)
    assert canary.version_labels["stable"] < canary.version_labels["canary"]


def test_the_config_map_holds_the_files_of_the_image(manifests, deploy, flags):
    data = manifests["ConfigMap"]["data"]
    assert data == {name: (deploy / "config" / name).read_text() for name in data}
    mounted = {flags[name] for name in ("model_config_file", "monitoring_config_file")}
    assert mounted == {f"/config/{name}" for name in data}


def test_metrics_are_on_and_where_prometheus_looks(manifests, deploy):
    from google.protobuf import text_format

    from serving.model_server.config.server_config import MonitoringConfig

    text = (deploy / "config" / "monitoring.config").read_text()
    monitoring = text_format.Parse(text, MonitoringConfig()).prometheus_config
    assert monitoring.enable
    annotations = manifests["Deployment"]["spec"]["template"]["metadata"]["annotations"]
    assert annotations["prometheus.io/path"] == monitoring.path


def test_ports_agree(flags, container, manifests, instruction, service):
    grpc, rest = int(flags["port"]), int(flags["rest_api_port"])
    assert {port["name"]: port["containerPort"] for port in container["ports"]} == {
        "grpc": grpc,
        "rest": rest,
    }
    service_ports = manifests["Service"]["spec"]["ports"]
    assert {port["name"]: port["port"] for port in service_ports} == {"grpc": grpc, "rest": rest}
    assert {port["targetPort"] for port in service_ports} == {"grpc", "rest"}
    assert container["livenessProbe"]["grpc"]["port"] == grpc
    assert instruction("EXPOSE") == f"{grpc} {rest}"
    assert set(service["ports"]) == {f"127.0.0.1:{port}:{port}" for port in (grpc, rest)}
    annotations = manifests["Deployment"]["spec"]["template"]["metadata"]["annotations"]
    assert annotations["prometheus.io/port"] == str(rest)


def test_one_version_of_tensorflow_serving_is_named_everywhere(
    dockerfile, service, container, runbook
):
    (argument,) = [step["value"] for step in dockerfile.structure if step["instruction"] == "ARG"]
    version = argument.removeprefix("TF_SERVING_VERSION=")
    assert dockerfile.baseimage == container["image"] == f"tensorflow/serving:{version}-gpu"
    assert service["image"] == f"fulcrum-model-server:{version}"
    assert service["build"]["args"] == {"TF_SERVING_VERSION": version}
    assert f"tensorflow/serving:{version}-gpu" in runbook


def test_compose_mounts_models_and_configuration_where_the_server_looks(
    service, flags, model_configs
):
    targets = {volume["target"]: volume for volume in service["volumes"]}
    assert set(targets) == {
        model_configs["models.config"][0].base_path,
        flags["model_config_file"].rpartition("/")[0],
    }
    assert all(volume["read_only"] for volume in targets.values())


def test_kubernetes_mounts_models_and_configuration_where_the_server_looks(
    manifests, container, flags, model_configs
):
    mounts = {mount["mountPath"]: mount["name"] for mount in container["volumeMounts"]}
    volumes = {
        volume["name"]: volume
        for volume in manifests["Deployment"]["spec"]["template"]["spec"]["volumes"]
    }
    models = volumes[mounts[model_configs["models.config"][0].base_path]]
    config = volumes[mounts[flags["model_config_file"].rpartition("/")[0]]]
    assert (
        models["persistentVolumeClaim"]["claimName"]
        == manifests["PersistentVolumeClaim"]["metadata"]["name"]
    )
    assert config["configMap"]["name"] == manifests["ConfigMap"]["metadata"]["name"]
    assert set(mounts.values()) == set(volumes)


def test_compose_asks_for_a_gpu(service):
    (device,) = service["deploy"]["resources"]["reservations"]["devices"]
    assert (device["driver"], device["count"], device["capabilities"]) == ("nvidia", 1, ["gpu"])


@pytest.mark.parametrize(
    ("key", "value"), [("tmpfss", ["/tmp"]), ("restart", "sometimes"), ("ports", ["8500:none"])]
)
def test_the_parser_of_compose_files_refuses_what_compose_would(compose_text, key, value):
    from compose_spec import PyCompose

    wrong = yaml.safe_load(compose_text)
    wrong["services"]["model-server"][key] = value
    with pytest.raises(ValueError, match="model-server"):
        PyCompose.from_yaml(yaml.safe_dump(wrong))
