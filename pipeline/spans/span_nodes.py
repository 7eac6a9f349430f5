"""The nodes that only a run by span has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tfx import types
from tfx.dsl.components.base.base_component import BaseComponent
from tfx.dsl.components.common.resolver import Resolver
from tfx.types import channel_utils

from feature_spec.spec import FeatureSpec
from pipeline.ingest.component import LogsExampleGen
from pipeline.resolvers.earlier_spans import (
    SPAN_PROPERTY,
    analyzer_cache_resolver,
    base_model_resolver,
    state_resolver,
)
from pipeline.spans.span_window import SpanWindow, span_number, warm_up_days
from pipeline.spans.window_component import WindowExampleGen


@dataclass(frozen=True, kw_only=True)
class SpanNodes:
    """The nodes of one span.

    Attributes:
        window: the days of the span.
        days: ingestion nodes, one for each day, ascending; the last day judges.
        example_gen: the node that gives the examples of all days the splits of
            `feature_spec.names`.
        analyzer_cache: the node that finds Transform's caches for the days before.
        base_model: the node that finds the model that training begins with.
        warm_up: ingestion nodes of the days before, which only warm up histories, ascending.
        earlier_state: the node that finds the state of histories that the first day goes on with;
            None without histories.
    """

    window: SpanWindow
    days: list[BaseComponent]
    example_gen: BaseComponent
    analyzer_cache: Resolver
    base_model: Resolver
    warm_up: list[BaseComponent]
    earlier_state: Resolver | None

    @property
    def ingestion(self) -> list[BaseComponent]:
        """The nodes that ingest days, and what they need, in the order in which they run."""
        first = [self.earlier_state] if self.earlier_state is not None else []
        return [*first, *self.warm_up, *self.days]

    @property
    def number(self) -> int:
        """The number of the day that judges, as TFX numbers spans."""
        return span_number(self.window.evaluation_day)

    @property
    def training_examples(self) -> types.BaseChannel:
        """The examples to train on, one artifact for each day.

        What Transform has learnt about a day stays valid when other days join it.
        """
        return _examples_of(self.days[:-1])

    def mark(self, *outputs: Any) -> None:
        """Mark the artifacts of output channels with this span, so that later spans find them."""
        for channel in outputs:
            channel.additional_custom_properties[SPAN_PROPERTY] = self.number


def span_nodes(spec: FeatureSpec, logs: str, window: SpanWindow) -> SpanNodes:
    """Return the nodes of a span.

    Args:
        spec: the feature spec.
        logs: the folder that the spec's log paths are relative to.
        window: the days of the span.
    """
    warm_up = warm_up_days(spec, logs, window)
    ingested = [*warm_up, *window.training_days, window.evaluation_day]
    earlier_state = state_resolver(spec, ingested[0]) if spec.histories is not None else None
    # Each day goes on with the histories of the day before.
    earlier = earlier_state.outputs["earlier"] if earlier_state is not None else None
    nodes: list[BaseComponent] = []
    for day in ingested:
        node = LogsExampleGen(spec, logs, day, earlier).with_id(f"LogsExampleGen-{day}")
        node.outputs["examples"].additional_properties["span"] = span_number(day)
        nodes.append(node)
        earlier = node.outputs["examples"] if earlier_state is not None else None
    days = nodes[len(warm_up) :]
    example_gen = WindowExampleGen(
        training_days=_examples_of(days[:-1]), evaluation_day=days[-1].outputs["examples"]
    )
    number = span_number(window.evaluation_day)
    example_gen.outputs["examples"].additional_properties["span"] = number
    return SpanNodes(
        window=window,
        days=days,
        example_gen=example_gen,
        analyzer_cache=analyzer_cache_resolver(number),
        base_model=base_model_resolver(number),
        warm_up=nodes[: len(warm_up)],
        earlier_state=earlier_state,
    )


def _examples_of(days: list[BaseComponent]) -> types.BaseChannel:
    return channel_utils.union([day.outputs["examples"] for day in days])
