"""Which statistics those of a run are compared with."""

from __future__ import annotations

import ml_metadata
from tfx import types
from tfx.dsl.compiler import constants
from tfx.dsl.components.common import resolver
from tfx.types import standard_artifacts
from tfx.utils.typing_utils import ArtifactMultiDict
from typing_extensions import override


class LastPushedStatistics(resolver.ResolverStrategy):
    """The statistics of the last run that pushed a model, other than the current ones.

    A run on the same examples is compared with what its forerunner was compared with, so that every
    step is reused.
    """

    @override
    def resolve_artifacts(
        self, store: ml_metadata.MetadataStore, input_dict: ArtifactMultiDict
    ) -> ArtifactMultiDict:
        """Of all the statistics in `statistics` leaves at most one; `current` stays as it is."""
        current = {artifact.id for artifact in input_dict["current"]}
        others = {
            artifact.id: artifact
            for artifact in input_dict["statistics"]
            if artifact.id not in current
        }
        pushed = {
            artifact.id
            for artifact in input_dict["pushed_model"]
            if artifact.get_int_custom_property("pushed")
        }
        runs = store.get_contexts_by_type(constants.PIPELINE_RUN_CONTEXT_TYPE_NAME)
        for run in sorted(runs, key=lambda context: context.id, reverse=True):
            of_run = {artifact.id for artifact in store.get_artifacts_by_context(run.id)}
            found = others.keys() & of_run
            if found and pushed & of_run:
                return {**input_dict, "statistics": [others[max(found)]]}
        return {**input_dict, "statistics": []}


def previous_statistics_resolver(current: types.BaseChannel) -> resolver.Resolver:
    """The node whose output `statistics` holds them, or nothing."""
    return resolver.Resolver(
        strategy_class=LastPushedStatistics,
        current=current,
        statistics=types.Channel(type=standard_artifacts.ExampleStatistics),
        pushed_model=types.Channel(type=standard_artifacts.PushedModel),
    ).with_id("PreviousStatistics")
