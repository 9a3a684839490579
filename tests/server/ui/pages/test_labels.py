# SPDX-License-Identifier: Apache-2.0
"""Moving a label by its form: the step is shown, the reason is kept, and whoever was faster is named."""

from __future__ import annotations

import html
import re
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.server.client import Client, fresh, publish
from tests.server.ui.browsing import Browser, words
from tests.world import WELCOME, Clone, Server, run


@pytest.fixture
def name(client: Client) -> str:
    made = fresh("moved")
    for version, text in (
        ("1.0.0", "Be brief."),
        ("1.1.0", "Be precise."),
        ("1.2.0", "Be thorough."),
    ):
        publish(client, made, version, text)
    client.post(f"/v1/prompts/{made}/labels", {"name": "production", "version_tag": "1.0.0"})
    return made


def form_of(browser: Browser, path: str, **params: Any) -> dict[str, str]:
    """The hidden fields of the form that moves, as a browser would send them."""
    page = browser.get(path, **params).text
    form = re.search(r'<form method="post"[^>]*class="card">(.*?)</form>', page, re.DOTALL)
    assert form is not None, words(page)
    pairs = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', form[1])
    return {key: html.unescape(value) for key, value in pairs}


def moved(browser: Browser, name: str, **form: str) -> httpx.Response:
    return browser.post(f"prompts/{name}/labels/production", **form)


def test_a_label_is_moved_with_a_reason(
    server: Server, client: Client, browser: Browser, name: str
) -> None:
    path = f"prompts/{name}/labels/production"
    page = browser.page(path, to="1.1.0")
    assert "What this changes: 1.0.0 → 1.1.0" in page
    assert "Move production to 1.1.0" in page
    assert f"gitprompt label set {name} production 1.1.0 --expect 1.0.0 -m why --push" in page
    form = form_of(browser, path, to="1.1.0")
    assert form == {"action": "move", "to": "1.1.0", "expected": "1.0.0"}
    answer = moved(browser, name, **form, reason="Support asked\r\nfor it")
    assert answer.status_code == 303
    assert answer.headers["location"].startswith(f"/ui/w/default/prompts/{name}?moved=")
    assert "Done. production points at 1.1.0" in words(browser.http.get(answer.headers["location"]))
    (newest, *_) = client.get(f"/v1/prompts/{name}/labels/production/history")["items"]
    assert (newest["version"], newest["reason"]) == ("1.1.0", "Support asked\nfor it")
    log = run("git", "log", "-1", "--format=%b", f"refs/labels/{name}@production",
              cwd=server.data / "repos/default.git")  # fmt: skip
    assert log.startswith("Support asked\nfor it\n")


def test_a_rollback_needs_a_reason(client: Client, browser: Browser, name: str) -> None:
    client.call("PUT", f"/v1/prompts/{name}/labels/production", {"version_tag": "1.1.0"})
    client.call("PUT", f"/v1/prompts/{name}/labels/production", {"version_tag": "1.2.0"})
    path = f"prompts/{name}/labels/production"
    page = browser.page(path)  # what it was at before is what one wants
    assert "Roll production back to 1.1.0" in page
    assert "Why (needed)" in page
    form = form_of(browser, path)
    answer = moved(browser, name, **form, reason="  ")
    assert answer.status_code == 422
    assert "Nothing was moved. Say why" in words(answer)
    assert moved(browser, name, **form, reason="Errors rose").status_code == 303
    assert "↩ rollback" in browser.page(path)


def test_whoever_was_faster_is_named(client: Client, browser: Browser, name: str) -> None:
    form = form_of(browser, f"prompts/{name}/labels/production", to="1.1.0")
    body = {"version_tag": "1.2.0", "reason": "I was first"}
    client.call("PUT", f"/v1/prompts/{name}/labels/production", body)
    answer = moved(browser, name, **form, reason="I was second")
    assert answer.status_code == 409
    page = words(answer)
    assert "Nothing was moved. key was faster: production points at 1.2.0" in page
    assert "“I was first”" in page
    assert "What this changes: 1.2.0 → 1.1.0" in page
    assert "I was second" in page  # what was typed is not lost
    assert client.get(f"/v1/prompts/{name}/labels/production")["version_tag"] == "1.2.0"
    same = form_of(browser, f"prompts/{name}/labels/production", to="1.1.0")
    assert (
        moved(browser, name, **{**same, "expected": "1.0.0", "to": "1.2.0"}, reason="x").status_code
        == 409
    )


def test_a_new_label_and_one_that_goes(client: Client, browser: Browser, name: str) -> None:
    answer = browser.get(f"prompts/{name}/labels", label=" staging ")
    assert answer.headers["location"] == f"/ui/w/default/prompts/{name}/labels/staging"
    path = f"prompts/{name}/labels/staging"
    assert "This label has not been set yet" in browser.page(path)
    form = form_of(browser, path)
    assert form == {"action": "move", "to": "1.2.0", "expected": ""}
    assert browser.post(path, **form, reason="").status_code == 303
    answer = browser.post(path, action="remove", expected="1.1.0", reason="")
    assert answer.status_code == 409
    answer = browser.post(path, action="remove", expected="1.2.0", reason="No longer used")
    assert answer.status_code == 303
    assert "It was removed" in browser.page(path)
    (newest, *_) = client.get(f"/v1/prompts/{name}/labels/staging/history")["items"]
    assert (newest["version"], newest["reason"]) == (None, "No longer used")
    assert browser.post(path, action="remove", expected="", reason="").status_code == 404


@pytest.mark.parametrize(
    ("form", "status"),
    [
        ({"to": "9.9.9"}, 400), ({"to": ""}, 422), ({}, 422), ({"to": "1.1.0", "reason": "\0"}, 422),
        ({"to": "1.1.0", "reason": "x" * 10_001}, 422), ({"to": "production"}, 400), ({"to": "../x"}, 400),
    ],
)  # fmt: skip
def test_a_wrong_form_moves_nothing(
    client: Client, browser: Browser, name: str, form: dict[str, str], status: int
) -> None:
    answer = moved(browser, name, **{"action": "move", "expected": "1.0.0", **form})
    assert answer.status_code == status
    assert "Nothing was moved." in words(answer)
    assert client.get(f"/v1/prompts/{name}/labels/production")["version_tag"] == "1.0.0"


def test_what_is_no_label_is_said(browser: Browser, name: str) -> None:
    for label in ("latest", "1.0.0", "a b"):
        assert browser.get(f"prompts/{name}/labels", label=label).status_code == 422
    assert browser.get("prompts/nothing/labels/production").status_code == 404


def test_what_policy_forbids_is_a_button_that_says_why(server: Server, tmp_path: Path) -> None:
    clone = Clone.init(tmp_path / "c")
    clone.write("gitprompt.yaml", "labels: {protected: {production: admin}}\n")
    clone.commit("x", welcome=WELCOME)
    clone.tag("welcome", "1.0.0")
    clone.git("push", "-q", server.remote(workspace="protected"), "main", "refs/tags/*:refs/tags/*")
    path = "prompts/welcome/labels/production"
    form = {"action": "move", "to": "1.0.0", "expected": "", "reason": "x"}
    writer = Browser(server, "read,write", "protected")
    page = writer.get(path)
    assert "needs a key with the scope admin" in words(page)
    assert re.search(r'<button class="go" disabled aria-describedby="whynot">', page.text)
    answer = writer.post(path, **form)
    assert answer.status_code == 403
    admin = Browser(server, workspace="protected")
    assert "needs the scope admin" in admin.page(path)
    assert (
        admin.post(path, **{**form, "reason": ""}).status_code == 422
    )  # a protected one needs a reason
    assert admin.post(path, **form).status_code == 303


def test_where_nothing_may_be_changed_the_command_is_there(tmp_path: Path) -> None:
    server = Server(tmp_path / "data", "--ui-changes", "none").start()
    try:
        publish(Client(server), "still")
        browser = Browser(server)
        page = browser.page("prompts/still/labels/production")
        assert "(--ui-changes none)" in page
        assert "gitprompt label set still production 1.0.0 -m why --push" in page
        answer = browser.post(
            "prompts/still/labels/production", action="move", to="1.0.0", expected=""
        )
        assert answer.status_code == 403
        assert "(--ui-changes none)" in words(answer)
    finally:
        server.stop()
