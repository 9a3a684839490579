# SPDX-License-Identifier: Apache-2.0
"""What people come for, from beginning to end."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from tests.browser.conftest import FIRST, Visit
from tests.server.client import Client, fresh
from tests.world import Server, run


def prepared(server: Server) -> str:
    """A prompt whose production was moved to a version that does worse."""
    client, name = Client(server), fresh("journey")
    for version, text in (("1.0.0", "Be brief."), ("1.1.0", "Be thorough.")):
        messages = [{"role": "user", "content": f"{text} Hello {{{{name}}}}"}]
        client.post(
            "/v1/prompts", {**FIRST, "name": name, "version": version, "messages": messages}
        )
    client.post(f"/v1/prompts/{name}/labels", {"name": "production", "version_tag": "1.0.0"})
    for version, number, failed in (("1.0.0", 40, 0), ("1.1.0", 40, 8)):
        client.post("/v1/traces", [
            {"trace_id": None, "prompt_name": name, "version_tag": version, "spans": [
                {"name": "call", "status": "error" if at < failed else "ok", "start_time": 0, "end_time": 500,
                 "metadata": {"kind": "llm", "model": "m", "tokens_in": 1}}]}
            for at in range(number)
        ])  # fmt: skip
    return name


def focused(page: Page) -> str:
    return str(
        page.evaluate("document.activeElement.textContent.trim() || document.activeElement.id")
    )


def tab_to(page: Page, text: str) -> None:
    """Tab until something with a text is focused, as somebody without a mouse does."""
    for _ in range(120):
        page.keyboard.press("Tab")
        if re.search(text, focused(page)):
            return
    raise AssertionError(f"nothing that says {text} can be reached")


def test_by_keyboard_alone_production_is_found_compared_moved_and_rolled_back(
    visit: Visit, shop: Server
) -> None:
    name = prepared(shop)
    context_page = visit()
    page = context_page.context.new_page()
    page.context.clear_cookies()
    page.goto("/ui/login")
    tab_to(page, "^key$")
    page.keyboard.type(shop.key())
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowDown")  # look and change
    page.keyboard.press("Enter")
    page.wait_for_url("**/prompts")
    page.keyboard.press("/")
    page.keyboard.type(name)
    page.keyboard.press("Enter")
    page.wait_for_url(f"**q={name}")
    page.keyboard.press("j")
    assert focused(page) == name
    page.keyboard.press("c")  # compares what is marked
    page.wait_for_url("**/diff")
    expect(page.get_by_role("row", name=re.compile("error rate"))).to_contain_text("20 %")
    page.go_back()
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/prompts/{name}")
    tab_to(page, r"^Move…")
    page.keyboard.press("Enter")
    page.wait_for_url("**/labels/production")
    expect(page.locator("main")).to_contain_text("What this changes: 1.0.0 → 1.1.0")
    tab_to(page, "^reason$")
    page.keyboard.type("Support asked for it")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_url("**moved=*")
    expect(page.get_by_role("status")).to_contain_text("production points at 1.1.0")
    repository = shop.data / "repos/default.git"
    log = run(
        "git", "log", "-1", "--format=%s%n%b", f"refs/labels/{name}@production", cwd=repository
    )
    assert log.startswith(f"{name}: production → 1.1.0\nSupport asked for it\n")
    tab_to(page, r"^Move…")
    page.keyboard.press("Enter")
    page.wait_for_url("**/labels/production")
    tab_to(page, "^reason$")
    page.keyboard.type("Its error rate rose to 20 %")
    page.keyboard.press("Tab")
    assert focused(page) == "Roll production back to 1.0.0"
    page.keyboard.press("Enter")
    page.wait_for_url("**moved=*")
    expect(page.locator("main")).to_contain_text("↩ rollback “Its error rate rose to 20 %”")
    page.close()


def test_without_scripts_everything_can_be_read(visit: Visit) -> None:
    page = visit("prompts", java_script_enabled=False)
    page.click("th a >> text=welcome")
    expect(page.locator("main")).to_contain_text("Support asked for details")
    page.click("button >> text=Compare the two")
    expect(page.locator("main")).to_contain_text("What changed")
    page.click("nav >> text=Traces")
    page.select_option("#status", "error")
    page.click("button >> text=Show")
    page.click("tbody th a >> nth=0")
    expect(page.locator("#table")).to_be_visible()
    page.click("#table th a >> nth=0")
    expect(page.locator("#panel")).to_contain_text("status")
    page.click("nav >> text=Suites")
    page.click("th a >> text=welcome-tone")
    expect(page.locator("svg.chart")).to_be_visible()
    page.click("nav >> text=Status")
    expect(page.locator("main")).to_contain_text("Rejected (1)")
    page.goto("/ui/w/default/render?prompt=welcome")
    page.fill("textarea >> nth=0", "Ada")
    page.click("button >> text=Render >> nth=-1")
    expect(page.locator("main")).to_contain_text("Hello, I am Ada.")


def test_of_two_who_move_at_once_one_is_told_who_was_faster(visit: Visit, shop: Server) -> None:
    name = prepared(shop)
    first, second = visit(), visit()
    for page in (first, second):
        page.goto(f"/ui/w/default/prompts/{name}/labels/production?to=1.1.0")
    first.fill("#reason", "I was first")
    first.click("button.go")
    first.wait_for_url("**moved=*")
    second.fill("#reason", "I was second")
    second.click("button.go")
    expect(second.get_by_role("alert")).to_contain_text("was faster: production points at 1.1.0")
    expect(second.get_by_role("alert")).to_contain_text("“I was first”")
    history = Client(shop).get(f"/v1/prompts/{name}/labels/production/history")["items"]
    assert [move["version"] for move in history] == ["1.1.0", "1.0.0"]


def test_a_version_is_written_with_findings_as_one_types(visit: Visit, shop: Server) -> None:
    name = prepared(shop)
    page = visit(f"publish?prompt={name}")
    text = page.input_value("#text")
    page.fill("#text", text.replace("{{name}}", "{{nmae}}"))
    expect(page.locator("#findings")).to_contain_text("nmae")
    expect(page.locator("#findings")).to_contain_text("It cannot be published like this.")
    page.fill("#text", text.replace("Be thorough", "Be kind"))
    expect(page.locator("#findings")).to_contain_text("deserve a patch version: 1.1.1")
    assert page.input_value("#version") == "1.1.1"
    page.click("button.go")
    page.wait_for_url("**/versions/1.1.1?new=1")
    expect(page.get_by_role("status")).to_contain_text("1.1.1 is served")


def test_what_was_searched_is_in_the_address_and_back_keeps_it(visit: Visit) -> None:
    page = visit("traces")
    page.select_option("#status", "error")
    page.fill("#min_ms", "100")
    page.click("button >> text=Show")
    address = page.url
    assert "status=error" in address
    page.click("tbody th a >> nth=0")
    page.click("a[rel=next]")
    page.go_back()
    page.go_back()
    assert page.url == address
    assert page.input_value("#min_ms") == "100"


def test_times_are_local_if_so_wished_and_say_their_zone(visit: Visit) -> None:
    page = visit("prompts/welcome", timezone_id="Asia/Kolkata")
    assert "UTC" in page.inner_text("time >> nth=0")
    page.click("summary >> text=look and change")
    page.check("input[name=time][value=local]")
    page.click("button >> text=Save")
    page.wait_for_load_state()
    assert page.inner_text("time >> nth=0").endswith("+05:30")
    assert "UTC" in str(page.get_attribute("time >> nth=0", "title"))
    page.click("summary >> text=look and change")
    page.check("input[name=theme][value=dark]")
    page.check("input[name=keys][value=off]")
    page.click("button >> text=Save")
    page.wait_for_load_state()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(21, 23, 27)"
    page.keyboard.press("?")
    assert page.locator("dialog").count() == 0


def test_help_lists_the_keys_and_lines_are_copied(visit: Visit) -> None:
    page = visit("prompts/welcome", permissions=["clipboard-read", "clipboard-write"])
    page.keyboard.press("?")
    expect(page.locator("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("dialog")).to_be_hidden()
    page.click("summary >> text=As a command")
    page.click("button >> text=Copy >> nth=0")
    expect(page.locator("button >> text=Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()").startswith("curl -gs")
    page.keyboard.press("g")
    page.keyboard.press("t")
    page.wait_for_url("**/traces")
