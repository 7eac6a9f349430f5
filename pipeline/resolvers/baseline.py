"""Which model a candidate is compared with."""

from __future__ import annotations

import ml_metadata
from tfx import types
from tfx.components.evaluator import constants
from tfx.dsl.components.common import resolver
from tfx.types import standard_artifacts
from tfx.utils.typing_utils import ArtifactMultiDict
from typing_extensions import override


class LatestOtherBlessedModel(resolver.ResolverStrategy):
    """The model blessed last, other than the candidate itself.

    A run that changes nothing has a candidate that is blessed already. Compared with itself it
    would be evaluated once more; compared with the same model as in the run that blessed it, every
    step is reused.
    """

    @override
    def resolve_artifacts(
        self, store: ml_metadata.MetadataStore, input_dict: ArtifactMultiDict
    ) -> ArtifactMultiDict:
        """Of all the models in `model` and blessings in `blessing`, leaves at most one; `candidate` stays as it is."""
        candidates = {model.id for model in input_dict["candidate"]}
        models = {model.id: model for model in input_dict["model"] if model.id not in candidates}
        for blessing in sorted(
            input_dict["blessing"], key=lambda artifact: artifact.id, reverse=True
        ):
            model = models.get(
                blessing.get_int_custom_property(constants.ARTIFACT_PROPERTY_CURRENT_MODEL_ID_KEY)
            )
            if model is not None and blessing.get_int_custom_property(
                constants.ARTIFACT_PROPERTY_BLESSED_KEY
            ):
                return {**input_dict, "model": [model], "blessing": [blessing]}
        return {**input_dict, "model": [], "blessing": []}


def baseline_resolver(candidate: types.BaseChannel) -> resolver.Resolver:
    """The node whose output `model` holds the baseline, or nothing."""
    return resolver.Resolver(
        strategy_class=LatestOtherBlessedModel,
        candidate=candidate,
        model=types.Channel(type=standard_artifacts.Model),
        blessing=types.Channel(type=standard_artifacts.ModelBlessing),
    ).with_id("Baseline")
