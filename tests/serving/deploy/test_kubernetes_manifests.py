"""Kubernetes manifests against the schemas of Kubernetes, and against each other."""

from __future__ import annotations

import copy

import pytest

NEWEST_AND_OLDEST = ("1.37", "1.29")
KINDS = (
    "ConfigMap",
    "Deployment",
    "HorizontalPodAutoscaler",
    "PersistentVolumeClaim",
    "PodDisruptionBudget",
    "Service",
)


def test_there_is_a_manifest_of_each_kind(manifests):
    assert sorted(manifests) == sorted(KINDS)


@pytest.mark.parametrize("version", NEWEST_AND_OLDEST)
@pytest.mark.parametrize("kind", KINDS)
def test_a_manifest_follows_the_schema_and_has_no_unknown_key(manifests, kind, version):
    import kubernetes_validate

    kubernetes_validate.validate(manifests[kind], version, strict=True)


def test_the_schema_would_find_a_misspelt_key_and_a_wrong_type(manifests):
    import kubernetes_validate

    misspelt, mistyped = (
        copy.deepcopy(manifests["Deployment"]),
        copy.deepcopy(manifests["Deployment"]),
    )
    misspelt["spec"]["template"]["spec"]["containers"][0]["readynessProbe"] = {}
    mistyped["spec"]["strategy"]["rollingUpdate"] = 1
    for wrong in (misspelt, mistyped):
        with pytest.raises(kubernetes_validate.ValidationError):
            kubernetes_validate.validate(wrong, NEWEST_AND_OLDEST[0], strict=True)


def test_service_budget_and_deployment_choose_the_same_pods(manifests):
    labels = manifests["Deployment"]["spec"]["template"]["metadata"]["labels"]
    assert manifests["Service"]["spec"]["selector"] == labels
    for kind in ("Deployment", "PodDisruptionBudget"):
        assert manifests[kind]["spec"]["selector"]["matchLabels"] == labels
    (spread,) = manifests["Deployment"]["spec"]["template"]["spec"]["topologySpreadConstraints"]
    assert spread["labelSelector"]["matchLabels"] == labels


def test_the_autoscaler_scales_the_deployment_which_leaves_the_number_to_it(manifests):
    target = manifests["HorizontalPodAutoscaler"]["spec"]["scaleTargetRef"]
    deployment = manifests["Deployment"]
    assert (target["apiVersion"], target["kind"], target["name"]) == (
        deployment["apiVersion"], "Deployment", deployment["metadata"]["name"],
    )  # fmt: skip
    assert "replicas" not in deployment["spec"]


def test_a_pod_less_is_never_the_last(manifests):
    assert (
        manifests["HorizontalPodAutoscaler"]["spec"]["minReplicas"]
        > manifests["PodDisruptionBudget"]["spec"]["maxUnavailable"]
    )
    assert manifests["Deployment"]["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] == 0


def test_each_server_has_a_gpu_of_its_own_and_a_memory_limit(container):
    resources = container["resources"]
    assert resources["requests"]["nvidia.com/gpu"] == resources["limits"]["nvidia.com/gpu"] == "1"
    assert resources["requests"]["memory"] == resources["limits"]["memory"]


def test_the_pod_stays_until_no_new_connection_comes(manifests, container):
    _, seconds = container["lifecycle"]["preStop"]["exec"]["command"]
    assert (
        int(seconds)
        < manifests["Deployment"]["spec"]["template"]["spec"]["terminationGracePeriodSeconds"]
    )


def test_the_server_runs_without_root_and_without_rights(manifests, container):
    pod = manifests["Deployment"]["spec"]["template"]["spec"]
    assert pod["securityContext"]["runAsNonRoot"]
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert container["securityContext"]["readOnlyRootFilesystem"]
