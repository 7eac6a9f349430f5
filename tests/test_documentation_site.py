"""`make docs`: the pages and the public names make a site without a warning."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import fulcrum
from tests.wheel import REPOSITORY


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built as `make docs` builds it: a warning ends it."""
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)],
        cwd=REPOSITORY, capture_output=True, text=True, check=False,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.mark.slow
def test_the_site_has_every_page_and_begins_with_the_readme(site: Path) -> None:
    for page in (REPOSITORY / "docs").glob("*.md"):
        assert (site / page.stem / "index.html").exists(), page
    first = (site / "index.html").read_text(encoding="utf-8")
    assert re.search(r"<h1[^>]*>Fulcrum", first)
    assert '<meta name="viewport" content="width=device-width' in first  # readable on a phone


@pytest.mark.slow
def test_search_finds_every_public_name(site: Path) -> None:
    found = json.loads((site / "search" / "search_index.json").read_text(encoding="utf-8"))
    places = {entry["location"].partition("#")[2] for entry in found["docs"]}
    names = {
        f"{module.__name__}.{name}"
        for module in (fulcrum, fulcrum.layers, fulcrum.models, fulcrum.components)
        for name in module.__all__
    }
    # Modules have pages of their own, and of the rest nothing is to be said.
    others = {"__version__", "FieldValue", "components", "layers", "models"}
    assert names - {f"fulcrum.{name}" for name in others} <= places


def test_the_site_asks_no_other_site_for_fonts() -> None:
    assert "font: false" in (REPOSITORY / "mkdocs.yml").read_text(encoding="utf-8")
