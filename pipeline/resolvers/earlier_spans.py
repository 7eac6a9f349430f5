"""Artifacts that a run by span takes over from runs of earlier days.

Only the day of a run counts, not the time at which it ran. A series of days that runs once more
therefore finds everything as it was, and reuses every step.
"""

from __future__ import annotations

import datetime
from collections.abc import Collection, Sequence

import ml_metadata
from tfx import types
from tfx.components.evaluator import constants
from tfx.dsl.components.common import resolver
from tfx.types import standard_artifacts
from tfx.utils.typing_utils import ArtifactMultiDict
from typing_extensions import override

from feature_spec.spec import FeatureSpec
from pipeline.workspace.artifact_types import EARLIER, HISTORIES_OF_DAY, HISTORY_DIGEST

SPAN_PROPERTY = "trained_for_span"


class LastBlessedModelOfSpan(resolver.ResolverStrategy):
    """The blessed model of the latest span, other than the candidate itself.

    Of several models of one span, the one blessed last is chosen.

    Args:
        last_span: models of later spans do not count. Models of runs without a span count as
            earlier than all.
    """

    def __init__(self, last_span: int) -> None:
        self._last_span = last_span

    @override
    def resolve_artifacts(
        self, store: ml_metadata.MetadataStore, input_dict: ArtifactMultiDict
    ) -> ArtifactMultiDict:
        """Keep at most one model and its blessing; a `candidate` stays as it is."""
        candidates = {model.id for model in input_dict.get("candidate", [])}
        chosen = _last_blessed(
            input_dict["model"], input_dict["blessing"], candidates, self._last_span
        )
        model, blessing = chosen or (None, None)
        return {
            **input_dict,
            "model": [model] if model else [],
            "blessing": [blessing] if blessing else [],
        }


def _last_blessed(
    models: Sequence[types.Artifact],
    blessings: Sequence[types.Artifact],
    candidates: Collection[int],
    last_span: int,
) -> tuple[types.Artifact, types.Artifact] | None:
    by_id = {
        model.id: model
        for model in models
        if model.id not in candidates and _span(model) <= last_span
    }
    blessed = []
    for blessing in blessings:
        model = by_id.get(
            blessing.get_int_custom_property(constants.ARTIFACT_PROPERTY_CURRENT_MODEL_ID_KEY)
        )
        if model is not None and blessing.get_int_custom_property(
            constants.ARTIFACT_PROPERTY_BLESSED_KEY
        ):
            blessed.append((model, blessing))
    return max(blessed, key=lambda pair: (_span(pair[0]), pair[1].id), default=None)


class LatestOfEarlierSpan(resolver.ResolverStrategy):
    """The artifact of the latest span, of each input; of several of one span, the newest.

    Args:
        last_span: artifacts of later spans do not count, nor do artifacts of runs without a span.
    """

    def __init__(self, last_span: int) -> None:
        self._last_span = last_span

    @override
    def resolve_artifacts(
        self, store: ml_metadata.MetadataStore, input_dict: ArtifactMultiDict
    ) -> ArtifactMultiDict:
        """Keep at most one artifact of each input."""
        return {name: self._latest(artifacts) for name, artifacts in input_dict.items()}

    def _latest(self, artifacts: Sequence[types.Artifact]) -> list[types.Artifact]:
        earlier = [artifact for artifact in artifacts if 0 < _span(artifact) <= self._last_span]
        return (
            [max(earlier, key=lambda artifact: (_span(artifact), artifact.id))] if earlier else []
        )


def _span(artifact: types.Artifact) -> int:
    return int(artifact.get_int_custom_property(SPAN_PROPERTY) or 0)


def base_model_resolver(span: int) -> resolver.Resolver:
    """Return the node that finds the model that training of `span` begins with.

    It is the last blessed model of an earlier span.
    """
    return resolver.Resolver(
        strategy_class=LastBlessedModelOfSpan,
        config={"last_span": span - 1},
        model=types.Channel(type=standard_artifacts.Model),
        blessing=types.Channel(type=standard_artifacts.ModelBlessing),
    ).with_id("BaseModel")


def span_baseline_resolver(candidate: types.BaseChannel, span: int) -> resolver.Resolver:
    """Return the node that finds the model to compare a candidate of `span` with.

    It is the last blessed model of the same or an earlier span.
    """
    return resolver.Resolver(
        strategy_class=LastBlessedModelOfSpan,
        config={"last_span": span},
        candidate=candidate,
        model=types.Channel(type=standard_artifacts.Model),
        blessing=types.Channel(type=standard_artifacts.ModelBlessing),
    ).with_id("Baseline")


def analyzer_cache_resolver(span: int) -> resolver.Resolver:
    """Return the node that finds Transform's caches for other days in the window of `span`."""
    return resolver.Resolver(
        strategy_class=LatestOfEarlierSpan,
        config={"last_span": span - 1},
        analyzer_cache=types.Channel(type=standard_artifacts.TransformCache),
    ).with_id("AnalyzerCache")


class StateOfDay(resolver.ResolverStrategy):
    """The examples of a day with a state of histories; of several, the newest.

    Args:
        day: the day, as `datetime.date.toordinal` counts.
        digest: `FeatureSpec.history_digest`; states made under another spec do not count.
    """

    def __init__(self, day: int, digest: str) -> None:
        self._day = day
        self._digest = digest

    @override
    def resolve_artifacts(
        self, store: ml_metadata.MetadataStore, input_dict: ArtifactMultiDict
    ) -> ArtifactMultiDict:
        """Keep at most one artifact of each input."""
        return {name: self._newest(artifacts) for name, artifacts in input_dict.items()}

    def _newest(self, artifacts: Sequence[types.Artifact]) -> list[types.Artifact]:
        of_day = [
            artifact
            for artifact in artifacts
            if artifact.get_int_custom_property(HISTORIES_OF_DAY) == self._day
            and artifact.get_string_custom_property(HISTORY_DIGEST) == self._digest
        ]
        return [max(of_day, key=lambda artifact: artifact.id)] if of_day else []


def state_resolver(spec: FeatureSpec, day: datetime.date) -> resolver.Resolver:
    """Return the node that finds the state of histories that the day before `day` left."""
    return resolver.Resolver(
        strategy_class=StateOfDay,
        config={"day": day.toordinal() - 1, "digest": spec.history_digest},
        **{EARLIER: types.Channel(type=standard_artifacts.Examples)},
    ).with_id("EarlierHistories")


def span_statistics_resolver(span: int) -> resolver.Resolver:
    """Return the node that finds the statistics of the span before `span`."""
    return resolver.Resolver(
        strategy_class=LatestOfEarlierSpan,
        config={"last_span": span - 1},
        statistics=types.Channel(type=standard_artifacts.ExampleStatistics),
    ).with_id("PreviousStatistics")
