# SPDX-License-Identifier: Apache-2.0
"""Addresses of pages, and why somebody may not change something."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import parse_qsl, unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitprompt.config import ServerSettings
from gitprompt.server.http.auth import Principal
from gitprompt.server.ui.page import Links, Pager, Visitor, chosen, page_number, refusal

TEXT = st.text(st.characters(codec="utf-8"), max_size=20)


@given(TEXT, TEXT)
def test_whatever_is_in_an_address_comes_back(segment: str, value: str) -> None:
    address = Links("/root", "w").to("traces", segment, tag=value)
    parts = urlsplit(address)
    assert unquote(parts.path) == f"/root/ui/w/w/traces/{segment}"
    assert dict(parse_qsl(parts.query)) == ({"tag": value} if value else {})
    assert parts.netloc == ""


def test_what_is_empty_is_left_out() -> None:
    links = Links("", "default")
    assert links.to("prompts", q="", tag=None, page=2) == "/ui/w/default/prompts?page=2"
    assert links.to("prompts", "a/b", "diff", from_="1") == "/ui/w/default/prompts/a/b/diff?from=1"
    assert links.api("prompts", "a/b", version="1") == "/v1/prompts/a/b?version=1"


def visitor(scopes: str, *, may_change: bool = True) -> Visitor:
    return Visitor(Principal("default", frozenset(scopes.split(",")), 1, "ada", False), may_change)


@pytest.mark.parametrize(
    ("changes", "kind", "scopes", "may_change", "reason"),
    [
        ("labels", "labels", "read,write", True, ""),
        ("all", "all", "read,write", True, ""),
        ("labels", "all", "read,write", True, "--ui-changes labels"),
        ("none", "labels", "read,write,admin", True, "--ui-changes none"),
        ("labels", "labels", "read", True, "needs the scope write, and you have read"),
        ("labels", "labels", "read,write", False, "to look only"),
    ],
)
def test_why_somebody_may_not(
    changes: str, kind: str, scopes: str, may_change: bool, reason: str
) -> None:
    settings = replace(ServerSettings(), ui_changes=changes)
    said = refusal(settings, visitor(scopes, may_change=may_change), kind)  # type: ignore[arg-type]
    assert bool(said) == bool(reason)
    assert reason in said


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("3", 3),
        ("0", 1),
        ("-1", 1),
        ("x", 1),
        ("", 1),
        ("9" * 7, 2_000),
        ("9" * 20, 1),
        ("²", 1),
    ],
)
def test_a_page_number_is_always_one(text: str, number: int) -> None:
    assert page_number({"page": text}) == number


def test_where_one_is_in_a_list() -> None:
    middle = Pager(2, 50, 120, 50)
    assert (middle.first, middle.last, middle.has_next) == (51, 100, True)
    assert not Pager(3, 50, 120, 20).has_next
    assert Pager(1, 50, 0, 0).first == 0
    assert chosen({"view": "unified"}, "view", ("split", "unified")) == "unified"
    assert chosen({"view": "x"}, "view", ("split", "unified")) == "split"
