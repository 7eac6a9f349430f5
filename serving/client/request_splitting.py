"""A request with more candidates than one call may carry, cut into parts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from serving.client.tensor_values import rows


def part_sizes(count: int, limit: int | None) -> list[int]:
    """Numbers of candidates of as few parts as possible, in order, that differ by 1 at most: 5000 at 2000 are 1667, 1667, 1666.

    Args:
        count: candidates in all.
        limit: candidates a part at most; None for no limit.
    """
    if limit is None or count <= limit:
        return [count]
    parts = -(-count // limit)
    size, larger = divmod(count, parts)
    return [size + 1] * larger + [size] * (parts - larger)


def part_inputs(
    inputs: Mapping[str, Any], item_fields: Iterable[str], sizes: Sequence[int]
) -> Iterator[Mapping[str, Any]]:
    """The inputs of each part: its rows of the item fields, and all else as it is."""
    if len(sizes) == 1:
        yield inputs
        return
    fields = list(item_fields)
    start = 0
    for size in sizes:
        yield {**inputs, **{name: rows(inputs[name], start, start + size) for name in fields}}
        start += size
