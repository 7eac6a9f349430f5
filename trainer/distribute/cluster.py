"""The machines of `trainer.strategy: multi_worker`, as `TF_CONFIG` names them.

Importing this module does not load TensorFlow.
"""

from __future__ import annotations

import json
from typing import Literal, Self

import pydantic
from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, model_validator

from feature_spec.strict_model import problems_of

EXAMPLE = (
    '{"cluster": {"worker": ["host1:2222", "host2:2222"]}, "task": {"type": "worker", "index": 0}}'
)


class ClusterError(ValueError):
    """`TF_CONFIG` is missing or wrong."""


class Jobs(BaseModel):
    """The addresses, host:port, of the workers. A chief counts as the first of them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    chief: list[str] = Field(default=[], max_length=1)
    worker: list[str] = []


class ClusterTask(BaseModel):
    """The place of this process among the workers."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    type: Literal["chief", "worker"]
    index: NonNegativeInt


class Cluster(BaseModel):
    """All workers of a training. Other content of `TF_CONFIG` is ignored.

    Attributes:
        cluster: addresses by kind of worker.
        task: the place of this process among them.
    """

    model_config = ConfigDict(frozen=True)

    cluster: Jobs
    task: ClusterTask

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        addresses = [*self.cluster.chief, *self.cluster.worker]
        for address in addresses:
            host, colon, port = address.rpartition(":")
            if not (host and colon and port.isdecimal() and 0 < int(port) < 1 << 16):
                raise ValueError(
                    f"cluster: {address!r} is no address; give host:port, such as host1:2222"
                )
        if len(set(addresses)) < len(addresses):
            raise ValueError(f"cluster: an address occurs twice (received {', '.join(addresses)})")
        own_kind = self.cluster.chief if self.task.type == "chief" else self.cluster.worker
        if self.task.index >= len(own_kind):
            kind = self.task.type
            raise ValueError(
                f"task: there is no {kind} {self.task.index}: "
                f"cluster.{kind} has {len(own_kind)} address(es)"
            )
        return self

    @property
    def is_chief(self) -> bool:
        """True for the worker that writes checkpoints, curves and the model.

        It is the chief, or worker 0 if there is no chief.
        """
        return self.task.type == "chief" or (not self.cluster.chief and self.task.index == 0)

    @property
    def name(self) -> str:
        """The name of this worker, such as ``worker 1``."""
        return f"{self.task.type} {self.task.index}"


def parse_cluster(tf_config: str | None) -> Cluster:
    """Parse the cluster that a `TF_CONFIG` describes.

    Args:
        tf_config: the value of the environment variable; None if it is not set.

    Raises:
        ClusterError: the variable is not set, is no JSON, or describes no cluster. The message says
            what was received and what is valid.
    """
    if not tf_config:
        raise ClusterError(
            "trainer.strategy=multi_worker needs TF_CONFIG in the environment of every worker "
            f"(received nothing): {EXAMPLE}"
        )
    try:
        return Cluster.model_validate(json.loads(tf_config))
    except pydantic.ValidationError as error:
        problems = problems_of(error)
    except json.JSONDecodeError as error:
        problems = f"no JSON: {error}"
    raise ClusterError(f"TF_CONFIG: {problems} (received {tf_config}; valid: {EXAMPLE})")
