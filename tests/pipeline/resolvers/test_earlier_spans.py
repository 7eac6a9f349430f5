"""What a span takes over from earlier ones does not depend on which run was the latest."""

from __future__ import annotations

from typing import Any

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.tensorflow]


def marked(artifact: Any, number: int, span: int) -> Any:
    from pipeline.resolvers.earlier_spans import SPAN_PROPERTY

    artifact.id = number
    if span:
        artifact.set_int_custom_property(SPAN_PROPERTY, span)
    return artifact


def last_blessed(
    last_span: int, models: dict[int, int], blessings: list[tuple[int, bool]], candidate: int = 0
) -> int | None:
    """The id of the model chosen; `models` from id to span, `blessings` in the order of evaluation."""
    from tfx.types import standard_artifacts

    from pipeline.resolvers.earlier_spans import LastBlessedModelOfSpan

    made = {
        number: marked(standard_artifacts.Model(), number, span) for number, span in models.items()
    }
    given = []
    for order, (of_model, is_blessed) in enumerate(blessings):
        blessing = standard_artifacts.ModelBlessing()
        blessing.id = 100 + order
        blessing.set_int_custom_property("current_model_id", of_model)
        blessing.set_int_custom_property("blessed", int(is_blessed))
        given.append(blessing)
    inputs = {"model": list(made.values()), "blessing": given} | (
        {"candidate": [made[candidate]]} if candidate else {}
    )
    resolved = LastBlessedModelOfSpan(last_span).resolve_artifacts(None, inputs)
    return resolved["model"][0].id if resolved["model"] else None


def test_the_first_span_begins_with_nothing() -> None:
    assert last_blessed(9, {}, []) is None


def test_a_span_takes_the_model_of_the_latest_span_before_it() -> None:
    assert last_blessed(9, {1: 8, 2: 9}, [(1, True), (2, True)]) == 2


def test_models_of_later_spans_do_not_count_however_new_they_are() -> None:
    models = {1: 8, 2: 9, 3: 10}
    assert last_blessed(8, models, [(1, True), (2, True), (3, True)]) == 1


def test_a_refused_model_is_passed_over() -> None:
    assert last_blessed(9, {1: 8, 2: 9}, [(1, True), (2, False)]) == 1


def test_of_several_models_of_one_span_the_one_blessed_last_counts() -> None:
    assert last_blessed(9, {1: 9, 2: 9}, [(1, True), (2, True)]) == 2
    assert last_blessed(9, {1: 9, 2: 9}, [(2, True), (1, True)]) == 1


def test_a_candidate_is_not_compared_with_itself() -> None:
    assert last_blessed(9, {1: 8, 2: 9}, [(1, True), (2, True)], candidate=2) == 1


def test_a_model_of_a_run_without_a_span_counts_as_the_earliest() -> None:
    assert last_blessed(9, {1: 0}, [(1, True)]) == 1
    assert last_blessed(9, {1: 8, 2: 0}, [(1, True), (2, True)]) == 1


@pytest.mark.parametrize(("last_span", "chosen"), [(7, None), (8, 1), (9, 3), (10, 3)])
def test_the_analyzer_cache_is_the_newest_of_the_latest_span(
    last_span: int, chosen: int | None
) -> None:
    from tfx.types import standard_artifacts

    from pipeline.resolvers.earlier_spans import LatestOfEarlierSpan

    spans = {1: 8, 2: 9, 3: 9, 4: 0}
    caches = [
        marked(standard_artifacts.TransformCache(), number, span) for number, span in spans.items()
    ]
    resolved = LatestOfEarlierSpan(last_span).resolve_artifacts(None, {"analyzer_cache": caches})
    assert [cache.id for cache in resolved["analyzer_cache"]] == ([chosen] if chosen else [])


def test_a_day_goes_on_with_the_newest_state_of_the_day_before_under_its_own_spec() -> None:
    from tfx.types import standard_artifacts

    from pipeline.resolvers.earlier_spans import StateOfDay
    from pipeline.workspace.artifact_types import HISTORIES_OF_DAY, HISTORY_DIGEST

    def examples(number: int, day: int, digest: str) -> Any:
        artifact = standard_artifacts.Examples()
        artifact.id = number
        artifact.set_int_custom_property(HISTORIES_OF_DAY, day)
        artifact.set_string_custom_property(HISTORY_DIGEST, digest)
        return artifact

    found = [
        examples(1, 8, "ours"), examples(2, 8, "ours"), examples(3, 8, "others"), examples(4, 9, "ours"),
    ]  # fmt: skip
    (chosen,) = StateOfDay(8, "ours").resolve_artifacts(None, {"earlier": found})["earlier"]
    assert chosen.id == 2
    assert StateOfDay(7, "ours").resolve_artifacts(None, {"earlier": found}) == {"earlier": []}
