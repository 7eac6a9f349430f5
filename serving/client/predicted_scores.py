"""The model's answer, checked and put in order."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from feature_spec.names import LOG_RANKING_SCORE, RANKING_SCORE
from feature_spec.spec import FeatureSpec
from serving.client.tensor_values import floats, shape_of
from serving.client.types import RankedCandidate, RankedList, RankingRequest
from serving.errors import UnusableModelError
from serving.tf_serving_api import DT_DOUBLE, DT_FLOAT


def ranked_list(
    spec: FeatureSpec, request: RankingRequest, responses: Sequence[Any], sizes: Sequence[int]
) -> RankedList:
    """Put the candidates of a request in the order of their predicted log ranking scores.

    A model that was exported before these were gives the order by its ranking scores. One that was
    exported before chains has no joint probabilities.

    Args:
        spec: The feature spec, which names the tasks.
        request: The request; its parts are consecutive runs of candidates.
        responses: The PredictResponses of the parts, in order, from one version of one model.
        sizes: The number of candidates in each part.

    Raises:
        UnusableModelError: An output is missing, is not one number per candidate, or is NaN.
    """
    scores = {task: _column(responses, task, sizes) for task in spec.tasks}
    scores |= {
        joint: _column(responses, joint, sizes)
        for joint in spec.joints
        if all(joint in response.outputs for response in responses)
    }
    ranking_scores = _column(responses, RANKING_SCORE, sizes)
    log_scores: list[float] | None = None
    if all(LOG_RANKING_SCORE in response.outputs for response in responses):
        log_scores = _column(responses, LOG_RANKING_SCORE, sizes, (DT_DOUBLE, DT_FLOAT))
    ordering = ranking_scores if log_scores is None else log_scores
    # sorted() keeps equals in their order.
    order = sorted(range(len(ordering)), key=lambda position: -ordering[position])
    return RankedList(
        candidates=tuple(
            RankedCandidate(
                candidate=request.candidates[position],
                position=position,
                rank=rank,
                scores={task: column[position] for task, column in scores.items()},
                ranking_score=ranking_scores[position],
                log_ranking_score=None if log_scores is None else log_scores[position],
            )
            for rank, position in enumerate(order, start=1)
        ),
        model_name=responses[0].model_spec.name,
        model_version=responses[0].model_spec.version.value,
    )


def _column(
    responses: Sequence[Any],
    name: str,
    sizes: Sequence[int],
    dtypes: Sequence[int] = (DT_FLOAT,),
) -> list[float]:
    """Return an output of one number for each candidate, over all parts, (C,)."""
    column: list[float] = []
    for response, size in zip(responses, sizes, strict=True):
        column += _part_of_column(response, name, size, dtypes, first=len(column))
    return column


def _part_of_column(
    response: Any, name: str, count: int, dtypes: Sequence[int], *, first: int
) -> list[float]:
    model = f"model {response.model_spec.name} version {response.model_spec.version.value}"
    if name not in response.outputs:
        raise UnusableModelError(
            f"{model} gave no {name!r}; received {', '.join(sorted(response.outputs)) or 'nothing'}"
        )
    tensor = response.outputs[name]
    if tensor.dtype not in dtypes or shape_of(tensor) != [count]:
        received = f"dtype {tensor.dtype} and shape {shape_of(tensor)}"
        raise UnusableModelError(
            f"{model} gave {name!r} with {received}; valid: {dtypes[0]} and {[count]}"
        )
    try:
        values = floats(tensor)
    except ValueError as error:
        raise UnusableModelError(f"{model} gave {name!r} as {error}") from error
    for position, value in enumerate(values, start=first):
        if math.isnan(value):
            raise UnusableModelError(f"{model} gave {name!r} = nan for candidates[{position}]")
    return values
