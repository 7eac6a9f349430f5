"""Differences between a pipeline on this machine and one on a cluster: nodes and metadata."""

from __future__ import annotations

import abc
from typing import Any

from tfx.components import Pusher
from tfx.dsl.components.base.base_component import BaseComponent
from tfx.dsl.components.common.resolver import Resolver
from tfx.orchestration import metadata
from tfx.types import BaseChannel

from pipeline.push.pusher import CopyingPusher, RenamingPusher, push_destination
from pipeline.resolvers.earlier_runs import (
    LastPushedModel,
    baseline_resolver,
    previous_statistics_resolver,
)
from pipeline.resolvers.earlier_spans import span_baseline_resolver, span_statistics_resolver
from pipeline.workspace.root import ClusterRoot, Root


class Deployment(abc.ABC):
    """The place where a pipeline runs.

    Attributes:
        root: the places where the pipeline keeps its files.
    """

    root: Root | ClusterRoot

    @abc.abstractmethod
    def pipeline_name(self, spec_name: str) -> str:
        """Return the name of the pipeline of a spec."""

    @abc.abstractmethod
    def baseline(self, candidate: BaseChannel, span: int | None) -> Any:
        """Return the node `Baseline`, whose output `model` is the model to compare with, if any.

        Args:
            candidate: the Model channel of the Trainer.
            span: the number of the span that judges the model; None in runs without spans.
        """

    @abc.abstractmethod
    def previous_statistics(self, current: BaseChannel, span: int | None) -> Resolver | None:
        """Return the node that finds statistics of an earlier run; None where nothing can find any.

        Args:
            current: the ExampleStatistics channel of this run.
            span: the number of the span that judges the model; None in runs without spans.
        """

    @abc.abstractmethod
    def pusher(
        self,
        *,
        model_blessing: BaseChannel,
        infra_blessing: BaseChannel,
        examples: BaseChannel | None,
    ) -> BaseComponent:
        """Return the node `Pusher`.

        Args:
            model_blessing: the verdict of the Evaluator.
            infra_blessing: the model to push.
            examples: the examples whose state of histories goes with the model; None without
                histories.
        """

    @abc.abstractmethod
    def metadata_connection(self) -> Any:
        """Return TFX's connection to ML Metadata; None where the cluster has its own."""


class LocalDeployment(Deployment):
    """A pipeline on this machine, which ML Metadata tells about earlier runs."""

    root: Root

    def __init__(self, root: Root) -> None:
        self.root = root

    def pipeline_name(self, spec_name: str) -> str:
        """Return the spec's name."""
        return spec_name

    def baseline(self, candidate: BaseChannel, span: int | None) -> Resolver:
        """Return a resolver of the last blessed model."""
        if span is not None:
            return span_baseline_resolver(candidate, span)
        return baseline_resolver(candidate)

    def previous_statistics(self, current: BaseChannel, span: int | None) -> Resolver:
        """Return a resolver of the statistics of the last run, or of the last span."""
        if span is not None:
            return span_statistics_resolver(span)
        return previous_statistics_resolver(current)

    def pusher(
        self,
        *,
        model_blessing: BaseChannel,
        infra_blessing: BaseChannel,
        examples: BaseChannel | None,
    ) -> BaseComponent:
        """Return a pusher that publishes by rename."""
        return RenamingPusher(
            folder=self.root.serving_model,
            model_blessing=model_blessing,
            infra_blessing=infra_blessing,
            examples=examples,
        ).with_id("Pusher")

    def metadata_connection(self) -> Any:
        """Return a connection to the SQLite file of the root."""
        return metadata.sqlite_metadata_connection_config(str(self.root.metadata))


class ClusterDeployment(Deployment):
    """A pipeline with a pod for each component, which cannot ask ML Metadata about earlier runs."""

    root: ClusterRoot

    def __init__(self, root: ClusterRoot) -> None:
        self.root = root

    def pipeline_name(self, spec_name: str) -> str:
        """Return the spec's name without underscores, which Kubeflow does not accept."""
        return spec_name.replace("_", "-")

    def baseline(self, candidate: BaseChannel, span: int | None) -> LastPushedModel:  # noqa: ARG002
        """Return a component that copies the newest pushed model."""
        return LastPushedModel(str(self.root.serving_model)).with_id("Baseline")

    def previous_statistics(self, current: BaseChannel, span: int | None) -> None:
        """Return None, because Kubeflow runs no resolvers."""

    def pusher(
        self,
        *,
        model_blessing: BaseChannel,
        infra_blessing: BaseChannel,
        examples: BaseChannel | None,
    ) -> BaseComponent:
        """Return TFX's own pusher, or one that copies, too: object stores rename no folder."""
        if examples is None:
            return Pusher(
                model_blessing=model_blessing,
                infra_blessing=infra_blessing,
                push_destination=push_destination(self.root.serving_model),
            ).with_id("Pusher")
        return CopyingPusher(
            folder=self.root.serving_model,
            model_blessing=model_blessing,
            infra_blessing=infra_blessing,
            examples=examples,
        ).with_id("Pusher")

    def metadata_connection(self) -> None:
        """Return None, because the cluster has its own connection."""
