"""The baseline where no metadata of earlier runs can be asked."""

from __future__ import annotations

from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.tensorflow]


def last_pushed(serving_model: Path, artifact: Path) -> None:
    from tfx.types import standard_artifacts

    from pipeline.resolvers.last_pushed_model import LastPushedModel

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
