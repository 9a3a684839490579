# SPDX-License-Identifier: Apache-2.0
"""Keys on their page: made, shown once, revoked."""

from __future__ import annotations

import re

from tests.server.client import fresh
from tests.server.ui.browsing import Browser, words
from tests.world import Server


def test_a_key_is_made_shown_once_and_revoked(server: Server) -> None:
    browser = Browser(server, workspace="keyed")
    name = fresh("ci")
    form = {"action": "create", "name": name, "scope.read": "1", "scope.write": "1", "days": "7"}
    answer = browser.post("keys", **form)
    secret = re.search(r"pm_[0-9a-f]{64}", answer.text)
    assert secret is not None
    assert "Copy this key now" in words(answer)
    listed = browser.get("keys")
    assert secret[0] not in listed.text
    assert name in words(listed)
    assert "read, write" in words(listed)
    works = server.request("/v1/prompts", key=secret[0])
    assert works.status_code == 200
    number = re.search(rf'{name} <span class="soft">\((\d+)\)', listed.text)
    assert number is not None
    answer = browser.post("keys", action="revoke", id=number[1])
    assert answer.headers["location"] == f"/ui/w/keyed/keys?revoked={number[1]}"
    assert server.request("/v1/prompts", key=secret[0]).status_code == 401
    assert secret[0] not in server.logged()


def test_what_is_wrong_makes_no_key(server: Server) -> None:
    browser = Browser(server, workspace="keyed")
    for form, said in (
        ({"name": "", "scope.read": "1"}, "1 to 128 printable characters"),
        ({"name": "x"}, "none is not among"),
        ({"name": "local", "scope.read": "1"}, "what the audit log calls something else"),
        ({"name": "x", "scope.read": "1", "days": "soon"}, "a number of days"),
        ({"name": "x", "scope.read": "1", "days": "0"}, "between 1 and 36500"),
    ):
        answer = browser.post("keys", action="create", **form)
        assert answer.status_code == 422, form
        assert said in words(answer), form
        assert "pm_" not in answer.text
    assert browser.post("keys", action="revoke", id="x").status_code == 422
    assert browser.post("keys", action="revoke", id="999999").status_code == 404


def test_keys_of_other_workspaces_are_theirs(server: Server) -> None:
    other = Browser(server, workspace="keyed-too")
    name = fresh("theirs")
    other.post("keys", action="create", name=name, **{"scope.read": "1"}, all="1")
    listed = other.get("keys").text
    number = re.search(rf'{name} <span class="soft">\((\d+)\)', listed)
    assert number is not None
    assert 'data-name="workspace">all<' not in listed  # only a master key makes such
    mine = Browser(server, workspace="keyed")
    assert name not in mine.page("keys")
    assert mine.post("keys", action="revoke", id=number[1]).status_code == 404


def test_a_master_key_makes_keys_of_all_workspaces(server: Server) -> None:
    master = Browser(server, workspace="*")
    name = fresh("all")
    answer = master.post(
        "/ui/w/default/keys", action="create", name=name, **{"scope.read": "1"}, all="1", days=""
    )
    secret = re.search(r"pm_[0-9a-f]{64}", answer.text)
    assert secret is not None
    answer = server.request("/v1/prompts", key=secret[0], headers={"X-Workspace-Id": "keyed"})
    assert answer.status_code == 200
