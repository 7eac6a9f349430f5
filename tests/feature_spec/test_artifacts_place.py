"""A root says where its artifacts are."""

from __future__ import annotations

from pathlib import Path

import pytest

from feature_spec.names import artifacts_place, is_uri, keep_artifacts_at


def test_artifacts_are_in_a_folder_of_the_root_unless_it_names_another_place(
    tmp_path: Path,
) -> None:
    assert artifacts_place(tmp_path) == str(tmp_path / "artifacts")
    keep_artifacts_at(tmp_path, "gs://bucket/run")
    assert artifacts_place(tmp_path) == "gs://bucket/run"


@pytest.mark.parametrize(
    ("path", "expected"), [("gs://a/b", True), ("/a/b", False), ("a:b", False), (Path("/a"), False)]
)
def test_a_uri_has_a_scheme(path: str | Path, expected: bool) -> None:
    assert is_uri(path) is expected
