"""The model's answer, checked and put in order."""

from __future__ import annotations

import math
from typing import Any

from feature_spec.names import RANKING_SCORE
from feature_spec.spec import FeatureSpec
from serving.errors import UnusableModelError
from serving.messages import DT_FLOAT
from serving.ranked_list import RankedCandidate, RankedList
from serving.ranking_request import RankingRequest
from serving.tensor_values import floats, shape_of


def ranked_list(spec: FeatureSpec, request: RankingRequest, response: Any) -> RankedList:
    """The candidates of a request in the order of the scores that a PredictResponse gives them.

    Raises:
        UnusableModelError: an output is missing, is not a number a candidate, or is NaN.
    """
    count = len(request.candidates)
    scores = {task: _column(response, task, count) for task in spec.tasks}
    ranking_scores = _column(response, RANKING_SCORE, count)
    # sorted() keeps equals in their order.
    order = sorted(range(count), key=lambda position: -ranking_scores[position])
    return RankedList(
        candidates=tuple(
            RankedCandidate(
                candidate=request.candidates[position],
                position=position,
                rank=rank,
                scores={task: column[position] for task, column in scores.items()},
                ranking_score=ranking_scores[position],
            )
            for rank, position in enumerate(order, start=1)
        ),
        model_name=response.model_spec.name,
        model_version=response.model_spec.version.value,
    )


def _column(response: Any, name: str, count: int) -> list[float]:
    """An output of one number a candidate, (C,)."""
    model = f"model {response.model_spec.name} version {response.model_spec.version.value}"
    if name not in response.outputs:
        raise UnusableModelError(f"{model} gave no {name!r}; received {', '.join(sorted(response.outputs)) or 'nothing'}")
    tensor = response.outputs[name]
    if tensor.dtype != DT_FLOAT or shape_of(tensor) != [count]:
        received = f"dtype {tensor.dtype} and shape {shape_of(tensor)}"
        raise UnusableModelError(f"{model} gave {name!r} with {received}; valid: {DT_FLOAT} and {[count]}")
    try:
        values = floats(tensor)
    except ValueError as error:
        raise UnusableModelError(f"{model} gave {name!r} as {error}") from error
    for position, value in enumerate(values):
        if math.isnan(value):
            raise UnusableModelError(f"{model} gave {name!r} = nan for candidates[{position}]")
    return values
