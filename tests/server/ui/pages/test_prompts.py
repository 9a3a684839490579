# SPDX-License-Identifier: Apache-2.0
"""The list of prompts, and one: what a label points at, since when, by whom and why."""

from __future__ import annotations

import time

import pytest

from tests.server.client import Client, fresh, publish
from tests.server.ui.browsing import Browser
from tests.world import Server


@pytest.fixture(scope="module")
def client(server: Server) -> Client:
    return Client(server, **{"X-Workspace-Id": "listed"})


@pytest.fixture(scope="module")
def browser(server: Server, client: Client) -> Browser:
    for name in ("support/triage", "support/mail/reply", "welcome"):
        publish(client, name)
    publish(client, "welcome", "1.1.0", "Hello again")
    path = "/v1/prompts/welcome/labels"
    client.post(path, {"name": "production", "version_tag": "1.0.0"})
    client.call("PUT", f"{path}/production", {"version_tag": "1.1.0", "reason": "Launch <b>"})
    client.call("PUT", f"{path}/production", {"version_tag": "1.0.0", "reason": "Too terse"})
    for version, status in (("1.0.0", "ok"), ("1.0.0", "ok"), ("1.1.0", "error"), ("1.0.0", "ok")):
        client.post("/v1/logs", {"prompt_name": "welcome", "version_tag": version, "status": status,
                                 "latency_ms": 640, "cost_usd": 0.5, "model": "m"})  # fmt: skip
    return Browser(server, workspace="listed")


def test_the_list_says_what_each_prompt_is_and_does(browser: Browser) -> None:
    page = browser.page("prompts")
    assert "Prompts (3)" in page
    assert "support/ (2)" in page
    assert "production 1.0.0 ⚠ 25 % of calls on 1.1.0 4 25 % few 640 ms $2.00" in page
    assert "no label" in page


def test_the_list_is_narrowed_and_folders_open(browser: Browser) -> None:
    inside = browser.page("prompts", folder="support")
    assert "Prompts (2)" in inside
    assert "support/mail/ (1)" in inside
    assert "welcome" not in inside.replace("welcome 1", "")
    assert "Prompts (1)" in browser.page("prompts", q="TRIAGE")
    assert "Prompts (1)" in browser.page("prompts", label="production")
    assert "No prompt meets all of this" in browser.page("prompts", tag="none")
    assert "Prompts (3)" in browser.page("prompts", sort="updated")
    assert "Prompts (3)" in browser.page("prompts", page="99999", sort="x", window="y", folder="/")


def test_a_prompt_says_who_moved_production_when_and_why(browser: Browser) -> None:
    page = browser.page("prompts/welcome")
    assert "production 1.0.0" in page
    assert "↩ rollback “Too terse”" in page
    assert "75 % ⚠ 1.1.0: 25 %" in page
    assert "the 4 calls of the last hour were of (few)" in page
    assert "production 1.0.0 → 1.1.0" in page
    assert "“Launch <b>”" in page  # as text
    assert time.strftime("%Y-%m-%d", time.gmtime()) in page
    assert "UTC" in page
    assert "Versions (2)" in page
    assert "Calls by hour" in page
    assert "Hello again" in page


def test_what_moved_is_said_after_the_move(browser: Browser, client: Client) -> None:
    (newest, *_) = client.get("/v1/prompts/welcome/labels/production/history")["items"]
    page = browser.page("prompts/welcome", moved=newest["commit"])
    assert f"Done. production points at 1.0.0: commit {newest['commit'][:10]}" in page
    assert "Done." not in browser.page("prompts/welcome", moved="forged")


def test_a_prompt_that_is_not_there(browser: Browser) -> None:
    for name in ("nothing", "support", "a..b", "x" * 300):
        assert "no such prompt" in browser.page(f"prompts/{name}", 404)


def test_an_empty_workspace_says_how_to_begin(server: Server) -> None:
    page = Browser(server, workspace=fresh("empty")).page("prompts")
    assert "There is no prompt here yet" in page
    assert "gitprompt publish NAME --push" in page


def test_nothing_that_is_hidden_stays_hidden(server: Server) -> None:
    client = Client(server, **{"X-Workspace-Id": "hidden"})
    body = {"name": "odd", "version": "1.0.0", "description": "be\u202enevil",
            "messages": [{"role": "user", "content": "Hi\u200b \U000e0041<img src=x onerror=alert(1)>"}]}  # fmt: skip
    client.post("/v1/prompts", body)
    browser = Browser(server, workspace="hidden")
    page = browser.get("prompts/odd").text
    assert "Hi[U+200B] [U+E0041]&lt;img src=x onerror=alert(1)&gt;" in page
    assert "be[U+202E]nevil" in page
    assert "2 hidden characters" in page
