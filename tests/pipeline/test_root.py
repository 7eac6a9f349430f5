"""The folder that a pipeline keeps everything in."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.root import Root, RootOfAnotherSpecError


def test_a_root_stays_that_of_the_spec_that_claimed_it_first(tmp_path: Path) -> None:
    root = Root(tmp_path)
    root.claim("short_video")
    root.claim("short_video")
    with pytest.raises(RootOfAnotherSpecError, match="holds the models of spec 'short_video'"):
        root.claim("kuairand")
