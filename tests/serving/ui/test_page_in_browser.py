"""The page in headless Chromium, beside a real server of the toy model."""

from __future__ import annotations

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select

from serving.client.ranking_client import RankingClient
from serving.rank.request_file import read_request_file

pytestmark = [pytest.mark.slow, pytest.mark.tensorflow]


@pytest.fixture
def server(push, push_with_like_weight, serve):
    from serving.model_server.versions.version import VersionPolicy

    push(1)
    push_with_like_weight(2, -1.0)
    return serve(policy=VersionPolicy.ALL)


@pytest.fixture
def opened(browser, server, show, request_files, eventually):
    """The page, opened 1280 pixels wide with only version 1 chosen; its server is the value."""
    resize(browser, 1280)
    browser.get_log("browser")  # what earlier tests have left
    page = show(server, request_files)
    browser.get(page.url)
    eventually(lambda: len(tables(browser)) == 2, "two lists")
    Select(browser.find_element(By.ID, "version-a")).select_by_value("1")
    Select(browser.find_element(By.ID, "version-b")).select_by_value("")
    eventually(
        lambda: [order(table) for table in tables(browser)] == [["b", "a", "c"]],
        "one list of version 1",
    )
    return page


def resize(browser, width):
    """Headless windows do not become as narrow as telephones; an emulated screen does."""
    metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)


def tables(browser):
    """The rows of each list as shown: a list of texts by class of the cell."""
    return browser.execute_script("""
        return [...document.querySelectorAll("table")].map((table) => [...table.tBodies[0].rows].map((row) =>
            Object.fromEntries([...row.cells].map((cell) => [
                cell.dataset.task ?? cell.className.split(" ")[0],
                (cell.querySelector(".id") ?? cell.querySelector(".value") ?? cell.querySelector("b") ?? cell).textContent,
            ]))))""")


def order(table):
    return [row["candidate"] for row in table]


def clients_order(server, toy_spec, file, **weights):
    with RankingClient(server.target, toy_spec, version=1, timeout_ms=600_000.0) as client:
        return [
            one.candidate.id
            for one in client.rank(read_request_file(file).request(toy_spec, weights))
        ]


def test_the_page_shows_a_users_candidates_in_the_clients_order_without_an_error(
    browser, opened, server, toy_spec, request_files
):
    [table] = tables(browser)
    assert order(table) == clients_order(server, toy_spec, request_files[0])
    # b: click 0.5 · like 1^0.5
    assert (table[0]["rank"], table[0]["click"], table[0]["like"], table[0]["total"]) == (
        "1",
        "0.5000",
        "1.000",
        "0.5000",
    )
    assert "recent_videos\na, z" in browser.find_element(By.ID, "user-fields").text
    assert [
        entry for entry in browser.get_log("browser") if entry["level"] in ("SEVERE", "WARNING")
    ] == []


def test_the_page_says_at_once_that_it_loads_and_no_longer_once_it_has(browser, opened):
    source = (
        "return fetch(location.href).then((answer) => answer.text())"
        ".then((text) => new DOMParser().parseFromString(text, 'text/html')"
        ".getElementById('loading').hidden)"
    )
    assert browser.execute_script(source) is False  # before any script has run
    assert browser.find_element(By.ID, "loading").is_displayed() is False


def test_another_user_has_other_candidates_whose_names_are_no_markup(browser, opened, eventually):
    browser.find_element(By.ID, "next-user").click()
    # 0.75 · 0.25^0.5 · 0.64^0.5 = 0.3, 0.7 · 0.4 = 0.28
    eventually(
        lambda: order(tables(browser)[0]) == ["only", "<b>other"], "the stranger's candidates"
    )
    assert [row["total"] for row in tables(browser)[0]] == ["0.3000", "0.2800"]


def test_a_slider_changes_the_order_as_the_client_ranks_with_that_weight_and_back(
    browser, opened, server, toy_spec, request_files, eventually
):
    browser.find_element(By.ID, "weight-click").send_keys(Keys.END)
    expected = clients_order(server, toy_spec, request_files[0], click=3.0)
    assert expected == ["a", "b", "c"]
    eventually(lambda: order(tables(browser)[0]) == expected, "the client's order")
    assert [row["move"] for row in tables(browser)[0]] == ["▲1", "▼1", ""]
    assert "click3 · like0.5" in browser.find_element(By.CLASS_NAME, "formula").get_attribute(
        "textContent"
    )
    assert "Your weights move 2 of 3 candidates." in browser.find_element(By.ID, "summary").text
    browser.find_element(By.ID, "reset").click()
    eventually(
        lambda: [row["move"] for row in tables(browser)[0]] == ["", "", ""], "the model's own order"
    )


def test_the_last_of_many_quick_changes_is_what_is_shown(
    browser, opened, server, toy_spec, request_files, eventually
):
    slider = browser.find_element(By.ID, "weight-like")
    slider.send_keys(*[Keys.ARROW_LEFT] * 8, *[Keys.ARROW_RIGHT] * 4, Keys.HOME)
    # like^0: by click alone
    assert clients_order(server, toy_spec, request_files[0], like=0.0) == ["a", "c", "b"]
    eventually(lambda: order(tables(browser)[0]) == ["a", "c", "b"], "the last order")


def test_two_versions_stand_side_by_side_with_their_differences_marked(browser, opened, eventually):
    Select(browser.find_element(By.ID, "version-b")).select_by_value("2")
    eventually(lambda: len(tables(browser)) == 2, "two lists")
    first, second = tables(browser)
    assert (order(first), order(second)) == (["b", "a", "c"], ["a", "c", "b"])
    assert [row["elsewhere"] for row in first] == ["B: 3", "B: 1", "B: 2"]
    assert len(browser.find_elements(By.CLASS_NAME, "differs")) == 6
    assert (
        "A and B disagree about 3 of 3, by at most 2 places."
        in browser.find_element(By.ID, "summary").text
    )
    left, right = (section.rect for section in browser.find_elements(By.CLASS_NAME, "list"))
    assert left["y"] == right["y"]
    assert left["x"] + left["width"] <= right["x"]


def test_on_a_telephone_nothing_is_wider_than_the_screen(browser, opened, eventually):
    resize(browser, 400)
    Select(browser.find_element(By.ID, "version-b")).select_by_value("2")
    eventually(lambda: len(tables(browser)) == 2, "two lists")
    assert browser.execute_script("return document.documentElement.scrollWidth") <= 400
    assert browser.find_element(By.CSS_SELECTOR, "td.total").is_displayed()


def test_what_the_server_refuses_stands_in_the_page(browser, opened, eventually):
    number = browser.find_element(By.CSS_SELECTOR, "[aria-label='click as a number']")
    number.send_keys(Keys.CONTROL, "a")
    number.send_keys("1e39")  # no float32
    eventually(
        lambda: (
            "weights.click: a finite number is needed" in browser.find_element(By.ID, "lists").text
        ),
        "the refusal",
    )


def test_a_server_that_is_gone_is_told_in_the_page(browser, opened, eventually):
    opened.stop()
    browser.find_element(By.ID, "weight-click").send_keys(Keys.END)
    alert = browser.find_element(By.ID, "alert")
    eventually(lambda: "The server does not answer" in alert.text, "the message")
