"""The page in headless Chromium, from a file."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select, WebDriverWait

from pipeline.report.comparison import comparison
from pipeline.report.data.run_data import RunData
from pipeline.report.run_report import run_report

pytestmark = pytest.mark.slow

TABS = ["summary", "tasks", "model", "ranking", "data"]


def resize(browser: Any, width: int) -> None:
    """Headless windows do not become as narrow as telephones; an emulated screen does."""
    metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)


def prefer(browser: Any, scheme: str) -> None:
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})


def eventually(browser: Any, condition: Callable[[], Any]) -> None:
    WebDriverWait(browser, 10, poll_frequency=0.05).until(lambda _: condition())


def open_tab(browser: Any, name: str) -> None:
    """Until all its pictures are drawn."""
    browser.find_element(By.ID, f"tab-{name}-button").click()
    shown = f"#tab-{name} .picture"
    eventually(
        browser,
        lambda: browser.execute_script(
            "return [...document.querySelectorAll(arguments[0])].filter((one) => one.offsetWidth)"
            ".every((one) => one.querySelector('.main-svg'))",
            shown,
        ),
    )


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder."""
    return tmp_path_factory.mktemp("pages")


@pytest.fixture
def opened(browser: Any, run: RunData, pages: Path) -> Iterator[Any]:
    """The report, 1280 pixels wide and light, with its first tab; loaded once, since reading Plotly's script takes a second."""
    resize(browser, 1280)
    prefer(browser, "light")
    page = pages / "report.html"
    if not page.exists():
        page.write_text(run_report(run), encoding="utf-8")
    if browser.current_url.partition("#")[0] != page.as_uri():
        browser.get_log("browser")  # what other pages have left
        browser.get(page.as_uri())
    browser.find_element(By.ID, "tab-summary-button").click()
    ActionChains(browser).move_to_element(browser.find_element(By.TAG_NAME, "h1")).perform()
    yield browser
    prefer(browser, "")


def test_every_tab_is_drawn_without_an_error_and_nothing_is_loaded(opened: Any) -> None:
    for name in TABS:
        open_tab(opened, name)
    assert [
        entry for entry in opened.get_log("browser") if entry["level"] in ("SEVERE", "WARNING")
    ] == []
    assert (
        opened.execute_script(
            "return performance.getEntriesByType('resource').map((entry) => entry.name)"
        )
        == []
    )


def test_plotly_is_in_the_page_once(opened: Any, pages: Path) -> None:
    assert (
        len(re.findall(r"plotly\.js v\d", (pages / "report.html").read_text(encoding="utf-8"))) == 1
    )


def test_one_tab_is_shown_at_a_time_and_arrow_keys_go_on(opened: Any) -> None:
    def panels() -> list[str]:
        return [
            panel.get_attribute("id")
            for panel in opened.find_elements(By.CSS_SELECTOR, '[role="tabpanel"]')
            if panel.is_displayed()
        ]

    assert panels() == ["tab-summary"]
    opened.find_element(By.ID, "tab-ranking-button").click()
    assert panels() == ["tab-ranking"]
    opened.switch_to.active_element.send_keys(Keys.ARROW_RIGHT)
    assert panels() == ["tab-data"]
    assert opened.find_element(By.ID, "tab-data-button").get_attribute("aria-selected") == "true"
    opened.switch_to.active_element.send_keys(Keys.ARROW_RIGHT)
    assert panels() == ["tab-summary"]


def test_what_is_worth_a_look_leads_to_its_section(opened: Any) -> None:
    opened.find_element(By.PARTIAL_LINK_TEXT, "changes no top 10").click()
    eventually(opened, lambda: opened.find_element(By.ID, "formula").is_displayed())
    assert not opened.find_element(By.ID, "summary").is_displayed()


def test_headings_explain_themselves_to_mouse_and_keyboard(opened: Any) -> None:
    tooltip = opened.find_element(By.ID, "tooltip")
    assert not tooltip.is_displayed()
    [hint] = [one for one in opened.find_elements(By.CLASS_NAME, "hint") if one.text == "MTL gain"]
    ActionChains(opened).move_to_element(hint).perform()
    eventually(opened, tooltip.is_displayed)
    assert "from being trained with the others" in tooltip.text
    ActionChains(opened).move_to_element(opened.find_element(By.TAG_NAME, "h1")).perform()
    eventually(opened, lambda: not tooltip.is_displayed())
    opened.execute_script("arguments[0].focus()", hint)
    assert tooltip.is_displayed()


def test_a_bar_tells_its_numbers_under_the_mouse(opened: Any) -> None:
    open_tab(opened, "ranking")
    bar = opened.find_element(By.CSS_SELECTOR, "#formula .picture .bars .point path")
    ActionChains(opened).move_to_element(bar).perform()
    eventually(
        opened, lambda: opened.find_elements(By.CSS_SELECTOR, "#formula .hoverlayer .hovertext")
    )
    text = opened.find_element(By.CSS_SELECTOR, "#formula .hoverlayer").text
    assert "click (1) set to 0" in text
    assert "top 10 change in 80.0% of lists" in text


def test_a_chosen_task_shows_its_own_metrics(opened: Any) -> None:
    open_tab(opened, "tasks")
    section = opened.find_element(By.ID, "tasks")
    assert "GAUC" not in section.text
    assert (
        "MSE"
        not in section.find_element(By.CSS_SELECTOR, ".choice").text.partition(
            "All metrics of click"
        )[2]
    )
    Select(section.find_element(By.TAG_NAME, "select")).select_by_visible_text("watch")
    assert "All metrics of watch (regression: play_s / duration_s, of played)" in section.text


def test_the_bubbles_move_to_the_chosen_tasks(opened: Any) -> None:
    open_tab(opened, "tasks")
    block = opened.find_element(By.CLASS_NAME, "bubbles")

    def titles() -> list[str]:
        return [block.find_element(By.CLASS_NAME, name).text for name in ("xtitle", "ytitle")]

    assert titles() == ["gain of click", "gain of watch"]
    Select(block.find_element(By.CSS_SELECTOR, '[data-axis="x"]')).select_by_visible_text("watch")
    eventually(opened, lambda: titles() == ["gain of watch", "gain of watch"])
    x, y = opened.execute_script(
        "const [bubbles] = arguments[0].querySelector('.picture').data; return [bubbles.x, bubbles.y]",
        block,
    )
    assert x == y == [-0.004]


@pytest.mark.parametrize("width", [1280, 400])
def test_nothing_is_wider_than_the_screen(opened: Any, width: int) -> None:
    resize(opened, width)
    beyond = "return [...document.querySelectorAll('.main-svg')].filter((svg) => svg.getBoundingClientRect().right > innerWidth)"
    for name in TABS:
        open_tab(opened, name)
        assert opened.execute_script("return document.documentElement.scrollWidth") <= width, name
        # Plotly redraws a picture that was drawn at another width.
        eventually(opened, lambda: opened.execute_script(beyond) == [])


def test_a_table_that_is_cut_off_says_that_there_is_more(opened: Any) -> None:
    state = """
        return [...document.querySelectorAll('.table')].filter((box) => box.offsetWidth).map((box) => [
            box.scrollWidth > box.clientWidth + 2,
            box.classList.contains('more-right'),
            box.previousElementSibling.matches('.more-hint') && !box.previousElementSibling.hidden,
        ])"""
    for width, cut in ((1280, False), (400, True)):
        resize(opened, width)
        open_tab(opened, "summary")
        eventually(opened, lambda cut=cut: opened.execute_script(state) == [[cut] * 3])
    opened.execute_script(
        "const box = [...document.querySelectorAll('.table')].find((one) => one.offsetWidth);"
        "box.scrollLeft = box.scrollWidth"
    )
    # At its end, nothing fades out any more.
    eventually(opened, lambda: opened.execute_script(state) == [[True, False, True]])


def test_letters_of_pictures_follow_light_and_dark(opened: Any) -> None:
    open_tab(opened, "ranking")

    def colour() -> str:
        return opened.execute_script(
            "return getComputedStyle(document.querySelector('#formula .ytick text')).fill"
        )

    light = colour()
    prefer(opened, "dark")
    eventually(opened, lambda: colour() != light)


def test_runs_side_by_side_are_drawn_without_an_error(
    browser: Any, run: RunData, bare_run: RunData, tmp_path: Path
) -> None:
    browser.get_log("browser")
    path = tmp_path / "comparison.html"
    path.write_text(comparison([run, bare_run]), encoding="utf-8")
    for width in (1280, 400):
        resize(browser, width)
        browser.get(path.as_uri())
        for name in TABS:
            open_tab(browser, name)
            assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    assert [
        entry for entry in browser.get_log("browser") if entry["level"] in ("SEVERE", "WARNING")
    ] == []
