"""What all tests share."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest

# A busy machine is no reason to fail, and neither are fixtures that all examples may share.
_ALLOWED = [hypothesis.HealthCheck.too_slow, hypothesis.HealthCheck.function_scoped_fixture]
hypothesis.settings.register_profile("patient", deadline=None, suppress_health_check=_ALLOWED)
hypothesis.settings.load_profile("patient")

REPOSITORY = Path(__file__).resolve().parents[1]


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leaves modules unread whose tests are all deselected: those that import TensorFlow take seconds to import alone."""
    expression = config.option.markexpr
    if collection_path.suffix != ".py" or not (
        "not tensorflow" in expression or expression == "alone"
    ):
        return None
    text = collection_path.read_text(encoding="utf-8")
    if expression == "alone":
        return "mark.alone" not in text or None
    return ('importorskip("tensorflow")' in text and "mark.tensorflow" in text) or None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Where files are shared out among processes, those that train and run whole pipelines go first: none of minutes is left for the end."""
    if hasattr(config, "workerinput"):
        items.sort(
            key=lambda item: (
                item.path.relative_to(REPOSITORY / "tests").parts[0]
                not in ("integration", "trainer")
            )
        )


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of the real data sets, which lies beside the project and is no part of it."""
    folder = Path(os.environ.get("FULCRUM_SHARED", REPOSITORY.parent / "shared")) / "data"
    if not folder.is_dir():
        pytest.skip(f"the real data sets are not there: {folder} does not exist")
    return folder


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Headless Chromium, for tests of pages; one for all of them, since starting takes seconds."""
    from selenium import webdriver

    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not (chromium and driver):
        pytest.skip("needs chromium and chromedriver")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for flag in (
        "headless=new", "no-sandbox", "disable-gpu", "disable-quic", "disable-dev-shm-usage", "no-first-run",
        "disable-background-networking", "disable-component-update", "disable-sync", "force-prefers-reduced-motion",
        f"user-data-dir={tmp_path_factory.mktemp('profile')}",
    ):  # fmt: skip
        options.add_argument(f"--{flag}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    started = webdriver.Chrome(options, webdriver.ChromeService(driver))
    yield started
    started.quit()
