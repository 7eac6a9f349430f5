"""How much a task's examples can tell: few positives or negatives leave a metric to chance."""

from __future__ import annotations

# Standard errors from fewer rows, and changes that these call small, say nothing.
ENOUGH_EVIDENCE = 10


def too_few(examples: int, positives: int | None) -> str:
    """Return ``too few to tell (3 positives)``; "" where there are enough.

    Args:
        examples: the examples in the task's sample space.
        positives: those with label 1; None for a regression.
    """
    counts = (
        {"example": examples}
        if positives is None
        else {"positive": positives, "negative": examples - positives}
    )
    what, count = min(counts.items(), key=lambda item: item[1])
    if count >= ENOUGH_EVIDENCE:
        return ""
    return f"too few to tell ({count or 'no'} {what}{'s' * (count != 1)})"


def examples_text(examples: int, positives: int | None) -> str:
    """Return the examples of a task, and the positives of a binary one: ``12 (3 positives)``."""
    if positives is None:
        return f"{examples:,}"
    return f"{examples:,} ({positives:,} positive{'s' * (positives != 1)})"
