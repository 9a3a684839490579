# SPDX-License-Identifier: Apache-2.0
"""A trace of ten thousand spans is a few rows of the page at a time."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.browser.conftest import TRACE, Visit


def opened(visit: Visit, query: str = "") -> Page:
    page = visit(f"traces/{TRACE}{query}")
    expect(page.locator("#fall")).to_be_visible()
    return page


def active(page: Page) -> str:
    return str(page.evaluate("document.getElementById(document.getElementById('view').getAttribute('aria-activedescendant'))?.getAttribute('aria-label')"))  # fmt: skip


def test_ten_thousand_spans_are_few_nodes(visit: Visit) -> None:
    page = opened(visit)
    expect(page.locator("#count")).to_have_text("10,000 spans")
    assert page.evaluate("document.querySelectorAll('main *').length") <= 1_000
    page.evaluate("document.getElementById('view').scrollTop = 200000")
    page.wait_for_timeout(50)
    assert page.evaluate("document.querySelectorAll('#rows .row').length") < 80
    assert page.evaluate("document.querySelectorAll('main *').length") <= 1_000


def test_the_tree_is_walked_by_keyboard(visit: Visit) -> None:
    page = opened(visit)
    page.focus("#view")
    assert active(page).startswith("step 0 · gpt-4o, llm")
    page.keyboard.press("ArrowDown")
    assert active(page).startswith("step 1,") or active(page).startswith("step 1 ")
    page.keyboard.press("ArrowLeft")  # folds it
    assert page.locator(".row.at").get_attribute("aria-expanded") == "false"
    page.keyboard.press("ArrowDown")
    assert active(page).startswith("step 2")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowRight")
    assert page.locator(".row.at").get_attribute("aria-expanded") == "true"
    page.keyboard.press("End")
    page.keyboard.press("Home")
    assert active(page).startswith("step 0")
    page.keyboard.press("e")
    expect(page.locator("#panel h2")).to_have_text("step 23")  # 4000 % 97
    assert ", error," in active(page)
    page.keyboard.press("e")
    expect(page.locator("#panel")).to_contain_text("span number 9999")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "panel"


def test_a_span_is_in_the_address(visit: Visit) -> None:
    page = opened(visit)
    page.click(".row >> nth=2")
    expect(page.locator("#panel dd code")).to_be_visible()
    page.wait_for_url("**span=*")
    span = page.inner_text("#panel dd code")
    page.reload()
    assert page.inner_text("#panel dd code") == span


def test_names_are_filtered_and_all_is_folded(visit: Visit) -> None:
    page = opened(visit)
    page.fill("#names", "step 42")
    expect(page.locator("#count")).to_have_text("103 of 10,000 spans")
    page.fill("#names", "")
    page.click("#foldall")
    expect(page.locator("#count")).to_have_text("1 of 10,000 spans")
    page.click("#foldall")
    expect(page.locator("#count")).to_have_text("10,000 spans")


def test_what_a_span_says_is_searched(visit: Visit) -> None:
    page = opened(visit)
    page.click(".row >> nth=1")
    expect(page.locator("#panel tr")).not_to_have_count(0)
    page.fill("#panel input", "span number")
    assert page.locator("#panel tr:visible").count() == 1


def test_a_session_that_is_over_is_said_in_the_panel(visit: Visit) -> None:
    page = opened(visit)
    page.context.clear_cookies()
    page.click(".row >> nth=1")
    expect(page.locator("#panel")).to_contain_text("your session is over")
