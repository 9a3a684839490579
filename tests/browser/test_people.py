# SPDX-License-Identifier: Apache-2.0
"""For everybody: no violation that axe knows of, in any colours; and no page is wider than a small screen."""

from __future__ import annotations

from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from gitprompt.server.ui.pages import PAGES
from tests.browser.conftest import TRACE, Visit

# Every page that is shown, by its template.
SHOWN = {
    "prompts.html": "prompts",
    "prompt.html": "prompts/welcome",
    "version.html": "prompts/welcome/versions/1.1.0",
    "compare.html": "prompts/welcome/diff?from=1.0.0&to=1.2.0",
    "label.html": "prompts/welcome/labels/production",
    "render.html": "render?prompt=welcome",
    "publish.html": "publish?prompt=welcome",
    "traces.html": "traces",
    "trace.html": f"traces/{TRACE}?span=00003",
    "logs.html": "logs",
    "runs.html": "runs",
    "run.html": "runs/judge-1.0.0-01",
    "suites.html": "suites",
    "suite.html": "suites/welcome-tone",
    "status.html": "status",
    "audit.html": "audit",
    "keys.html": "keys",
    "error.html": "prompts/nothing",
    "alone.html": "prompts/support/chat/diff",
    "login.html": "../../login",
}
COLOURS: dict[str, dict[str, Any]] = {
    "light": {"color_scheme": "light"},
    "dark": {"color_scheme": "dark"},
    "forced": {"forced_colors": "active"},
}


def test_every_page_is_among_these() -> None:
    assert {page.template for page in PAGES if page.template} <= SHOWN.keys()


def violations(page: Page) -> list[str]:
    found = Axe().run(page).response["violations"]
    return [
        f"{one['id']}: {one['help']} {[node['html'][:200] for node in one['nodes'][:3]]}"
        for one in found
    ]


@pytest.mark.parametrize("colours", COLOURS)
def test_axe_finds_nothing_on_any_page(visit: Visit, colours: str) -> None:
    page = visit("prompts", **COLOURS[colours])
    found: dict[str, list[str]] = {}
    for template, path in SHOWN.items():
        page.goto(f"/ui/w/default/{path}")
        page.wait_for_load_state("networkidle")
        for details in page.query_selector_all("details:not(.menu)"):
            details.evaluate("element => { element.open = true; }")
        wrong = violations(page)
        if wrong:
            found[template] = wrong
    page.goto("/ui/w/default/prompts")
    page.click("summary >> text=look and change")
    page.keyboard.press("?")
    if wrong := violations(page):
        found["menu"] = wrong
    assert found == {}


def test_no_page_is_wider_than_a_small_screen(visit: Visit) -> None:
    page = visit("prompts", viewport={"width": 320, "height": 700})
    widths = {}
    for template, path in SHOWN.items():
        page.goto(f"/ui/w/default/{path}")
        page.wait_for_load_state("networkidle")
        widths[template] = page.evaluate("document.documentElement.scrollWidth")
    assert {template: width for template, width in widths.items() if width > 320} == {}


def test_targets_are_large_enough_to_hit(visit: Visit) -> None:
    page = visit("prompts")
    small = page.evaluate(
        """() => [...document.querySelectorAll("button, input:not([type=hidden]), select, summary, .pill[href]")]
        .map((element) => [element.outerHTML.slice(0, 80), element.getBoundingClientRect()])
        .filter(([, box]) => box.width > 0 && (box.height < 24 || box.width < 24)).map(([html]) => html)"""
    )
    radio = [html for html in small if 'type="radio"' not in html and 'type="checkbox"' not in html]
    assert radio == []
