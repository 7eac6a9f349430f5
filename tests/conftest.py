"""What all tests share."""

from __future__ import annotations

import shutil
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest

# A busy machine is no reason to fail, and neither are fixtures that all examples may share.
_ALLOWED = [hypothesis.HealthCheck.too_slow, hypothesis.HealthCheck.function_scoped_fixture]
hypothesis.settings.register_profile("patient", deadline=None, suppress_health_check=_ALLOWED)
hypothesis.settings.load_profile("patient")

REPOSITORY = Path(__file__).resolve().parents[1]


# Reasons for which a test may skip, each a lack that `make test` cannot mend. A skip for another
# reason fails, so that no test goes missing unnoticed.
ALLOWED_SKIPS = (
    "needs the real logs in",
    "needs chromium and chromedriver",
    "no curl on this machine",
    "no grpcurl on this machine",
    "no redis-server on this machine",
    "no package registry can be reached",
    "no engines on this machine",
)

# What takes longest, first: then no worker begins with minutes of work when the others end.
LONGEST_FIRST = ("integration", "benchmarks", "trainer")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave modules unread whose tests are all deselected: importing TensorFlow takes seconds."""
    if collection_path.suffix != ".py" or "not tensorflow" not in config.option.markexpr:
        return None
    text = collection_path.read_text(encoding="utf-8")
    return ('importorskip("tensorflow")' in text and "mark.tensorflow" in text) or None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Put the longest files first where files are shared out among processes."""

    def rank(item: pytest.Item) -> int:
        folder = item.path.relative_to(REPOSITORY / "tests").parts[0]
        return LONGEST_FIRST.index(folder) if folder in LONGEST_FIRST else len(LONGEST_FIRST)

    if hasattr(config, "workerinput"):
        items.sort(key=rank)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Fail a test that skips for a reason that is not on the list."""
    report = yield
    refuse_other_skips(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Fail a file that skips for a reason that is not on the list."""
    report = yield
    refuse_other_skips(report)
    return report


def refuse_other_skips(report: pytest.TestReport | pytest.CollectReport) -> None:
    """Make a failure of a skip whose reason is not on the list."""
    if report.outcome != "skipped" or hasattr(report, "wasxfail"):
        return
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    if not reason.removeprefix("Skipped: ").startswith(ALLOWED_SKIPS):
        report.outcome = "failed"
        report.longrepr = f"{reason}; ALLOWED_SKIPS in tests/conftest.py lacks this reason"


@pytest.fixture(scope="session")
def quick_beam() -> Iterator[None]:
    """Let Beam look for the state of each function once, as the runner of this machine does."""
    from pipeline.runner.beam_planning import functions_inspected_once

    with functions_inspected_once():
        yield


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
