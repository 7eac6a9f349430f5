"""`TF_CONFIG`: what it describes, and what is said of a wrong one."""

from __future__ import annotations

import json

import pytest

from trainer.distribute.cluster import EXAMPLE, ClusterError, parse_cluster

TWO = {"worker": ["a:1", "b:2"]}


def tf_config(cluster, kind="worker", index=0, **more):
    return json.dumps({"cluster": cluster, "task": {"type": kind, "index": index}, **more})


@pytest.mark.parametrize(
    ("received", "is_chief"),
    [
        (tf_config(TWO, index=0), True),
        (tf_config(TWO, index=1), False),
        (tf_config({"chief": ["c:3"], **TWO}, "worker", 0), False),
        (tf_config({"chief": ["c:3"], **TWO}, "chief", 0), True),
    ],
)
def test_the_chief_is_the_chief_or_worker_0_where_there_is_none(received, is_chief):
    assert parse_cluster(received).is_chief is is_chief


def test_the_example_of_the_messages_is_valid():
    assert parse_cluster(EXAMPLE).name == "worker 0"


def test_what_schedulers_add_is_not_read():
    assert parse_cluster(tf_config(TWO, environment="cloud")).name == "worker 0"


@pytest.mark.parametrize("received", [None, ""])
def test_a_missing_cluster_is_told_with_an_example(received):
    with pytest.raises(ClusterError) as error:
        parse_cluster(received)
    assert str(error.value) == (
        f"trainer.strategy=multi_worker needs TF_CONFIG in the environment of every worker (received nothing): {EXAMPLE}"
    )


@pytest.mark.parametrize(
    ("received", "problem"),
    [
        ("{", "no JSON: Expecting property name enclosed in double quotes"),
        ("[]", "Input should be"),
        ("{}", "cluster: Field required; task: Field required"),
        (tf_config(TWO, index=2), "there is no worker 2: cluster.worker has 2 address(es)"),
        (tf_config(TWO, kind="chief"), "there is no chief 0: cluster.chief has 0 address(es)"),
        (tf_config(TWO, index=-1), "task.index: Input should be greater than or equal to 0"),
        (tf_config(TWO, kind="evaluator"), "task.type: Input should be 'chief' or 'worker'"),
        (tf_config({**TWO, "ps": ["c:3"]}), "cluster.ps: Extra inputs are not permitted"),
        (tf_config({"worker": ["a"]}), "'a' is no address; give host:port"),
        (tf_config({"worker": ["a:70000"]}), "'a:70000' is no address"),
        (tf_config({"worker": ["a:1", "a:1"]}), "an address occurs twice (received a:1, a:1)"),
        (
            tf_config({"chief": ["a:1", "b:1"]}, "chief"),
            "cluster.chief: List should have at most 1 item",
        ),
    ],
)
def test_a_wrong_cluster_is_told_with_what_was_received_and_what_is_valid(received, problem):
    with pytest.raises(ClusterError) as error:
        parse_cluster(received)
    assert problem in str(error.value)
    assert f"(received {received}; valid: {EXAMPLE})" in str(error.value)
