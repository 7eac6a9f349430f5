"""Where a pipeline keeps what outlives it when each of its components runs in a pod of its own."""

from __future__ import annotations

from dataclasses import dataclass

from feature_spec import names


@dataclass(frozen=True)
class ClusterRoot:
    """URIs below a root that all pods can reach, and folders of a single pod.

    Attributes:
        uri: of the root, such as ``gs://bucket/ranking``, without a slash at its end.
    """

    uri: str

    @property
    def artifacts(self) -> str:
        """Outputs of components, by run."""
        return f"{self.uri}/{names.ARTIFACTS}"

    @property
    def serving_model(self) -> str:
        """Pushed models, a folder a version."""
        return f"{self.uri}/{names.SERVING_MODEL}"

    @property
    def checkpoints(self) -> str:
        """The trainer's checkpoints, which need a file system that can append and rename; they end with the pod."""
        return f"/tmp/{names.CHECKPOINTS}"  # noqa: S108 (nobody else is in the pod)

    @property
    def tuning(self) -> str:
        """Trials of the search for settings; they end with the pod."""
        return "/tmp/tuning"  # noqa: S108
