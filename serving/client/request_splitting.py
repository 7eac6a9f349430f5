"""A request with too many candidates for one message: cut into parts, answered by one version."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from serving import tf_serving_api
from serving.client.tensor_values import rows
from serving.client.transport.attempts import Call
from serving.client.transport.protocol import Steps
from serving.errors import MixedVersionsError, ModelNotFoundError


def part_sizes(count: int, limit: int | None) -> list[int]:
    """Split a number of candidates into as few parts as possible, whose sizes differ by 1 at most.

    For example, 5000 candidates with a limit of 2000 are 1667, 1667 and 1666.

    Args:
        count: The number of candidates in all.
        limit: The largest number of candidates in a part; None for no limit.
    """
    if limit is None or count <= limit:
        return [count]
    parts = -(-count // limit)
    size, larger = divmod(count, parts)
    return [size + 1] * larger + [size] * (parts - larger)


def part_inputs(
    inputs: Mapping[str, Any], item_fields: Iterable[str], sizes: Sequence[int]
) -> Iterator[Mapping[str, Any]]:
    """Yield the inputs of each part: its rows of the item fields, and all other inputs."""
    if len(sizes) == 1:
        yield inputs
        return
    fields = list(item_fields)
    start = 0
    for size in sizes:
        yield {**inputs, **{name: rows(inputs[name], start, start + size) for name in fields}}
        start += size


_ROUNDS = 3


def answers_of_one_version(
    call: Call, payloads: Sequence[bytes], *, target: str, model: str
) -> Steps[list[Any]]:
    """Send the PredictRequests of a call, and return their responses, all from one version.

    The requests all name the same version, or none.

    If a swap, or servers at different versions, mix them, the parts that a version has not answered
    are asked of it by number, newest version first. If none of them is there any more, all starts
    again.

    Raises:
        MixedVersionsError: No version could be had for all parts.
        ServerError: A part has failed.
    """
    versions: set[int] = set()
    for _ in range(_ROUNDS):
        responses = yield from call.answers(tf_serving_api.PREDICT, payloads)
        answers = [{_version(response): response} for response in responses]
        versions |= {version for answer in answers for version in answer}
        for version in sorted({version for answer in answers for version in answer}, reverse=True):
            lacking = [part for part, answer in enumerate(answers) if version not in answer]
            try:
                pinned = yield from call.answers(
                    tf_serving_api.PREDICT, [payloads[part] + _pin(version) for part in lacking]
                )
            except ModelNotFoundError:
                continue  # it has been unloaded, or another server has it
            if any(_version(response) != version for response in pinned):
                continue
            for part, response in zip(lacking, pinned, strict=True):
                answers[part][version] = response
            return [answer[version] for answer in answers]
    raise MixedVersionsError(
        versions=sorted(versions), parts=len(payloads), rounds=_ROUNDS, target=target, model=model
    )


def _version(response: Any) -> int:
    return response.model_spec.version.value


def _pin(version: int) -> bytes:
    """Return bytes that, appended to a serialized PredictRequest, make it ask for a version.

    Joined bytes are merged messages, and the version takes the place of a label.
    """
    pinned = tf_serving_api.PredictRequest()
    pinned.model_spec.version.value = version
    return pinned.SerializeToString()
