"""Which of the models so far a candidate is compared with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.tensorflow]


def baseline_of(candidate: int, models: list[int], blessings: list[tuple[int, bool]]) -> int | None:
    """The id of the model chosen; `blessings` in the order of evaluation: the model and whether it was blessed."""
    from tfx.types import standard_artifacts

    from pipeline.resolvers.earlier_runs import LatestOtherBlessedModel

    def model(number: int) -> Any:
        artifact = standard_artifacts.Model()
        artifact.id = number
        return artifact

    def blessing(number: int, of_model: int, is_blessed: bool) -> Any:
        artifact = standard_artifacts.ModelBlessing()
        artifact.id = number
        artifact.set_int_custom_property("current_model_id", of_model)
        artifact.set_int_custom_property("blessed", int(is_blessed))
        return artifact

    resolved = LatestOtherBlessedModel().resolve_artifacts(
        None,
        {
            "candidate": [model(candidate)],
            "model": [model(number) for number in models],
            "blessing": [blessing(100 + order, *entry) for order, entry in enumerate(blessings)],
        },
    )
    return resolved["model"][0].id if resolved["model"] else None


def test_the_first_model_has_no_baseline() -> None:
    assert baseline_of(1, [1], []) is None


def test_a_candidate_is_compared_with_the_model_blessed_last() -> None:
    assert baseline_of(3, [1, 2, 3], [(1, True), (2, True)]) == 2


def test_a_refused_model_is_no_baseline() -> None:
    assert baseline_of(3, [1, 2, 3], [(1, True), (2, False)]) == 1


def test_a_candidate_that_is_blessed_already_is_not_compared_with_itself() -> None:
    assert baseline_of(1, [1], [(1, True)]) is None
    assert baseline_of(2, [1, 2], [(1, True), (2, True)]) == 1


def test_an_older_model_blessed_anew_is_the_baseline() -> None:
    assert baseline_of(3, [1, 2, 3], [(1, True), (2, True), (1, True)]) == 1


def test_a_blessing_whose_model_is_gone_is_passed_over() -> None:
    assert baseline_of(3, [1, 3], [(1, True), (2, True)]) == 1


def last_pushed(serving_model: Path, artifact: Path) -> None:
    from tfx.types import standard_artifacts

    from pipeline.resolvers.earlier_runs import LastPushedModel

    model = standard_artifacts.Model()
    model.uri = str(artifact)
    artifact.mkdir()
    LastPushedModel.EXECUTOR_SPEC.executor_class().Do(
        {}, {"model": [model]}, {"serving_model": str(serving_model)}
    )


def test_the_newest_version_is_copied_to_where_models_lie_in_artifacts(tmp_path: Path) -> None:
    # As texts, "9" is after "10".
    for version in ("9", "10"):
        (tmp_path / "serving" / version / "variables").mkdir(parents=True)
        (tmp_path / "serving" / version / "variables" / "variables.index").write_text(version)
    (tmp_path / "serving" / ".11.unfinished").mkdir()
    last_pushed(tmp_path / "serving", tmp_path / "artifact")
    assert (
        tmp_path / "artifact" / "Format-Serving" / "variables" / "variables.index"
    ).read_text() == "10"


@pytest.mark.parametrize("exists", [True, False])
def test_where_nothing_has_been_pushed_the_artifact_stays_empty(
    tmp_path: Path, exists: bool
) -> None:
    if exists:
        (tmp_path / "serving").mkdir()
    last_pushed(tmp_path / "serving", tmp_path / "artifact")
    assert not any((tmp_path / "artifact").iterdir())
