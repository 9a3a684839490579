# SPDX-License-Identifier: Apache-2.0
"""Cookies, origins, and the mode for this machine alone."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from gitprompt.config import ServerSettings
from gitprompt.errors import Forbidden, NotFound, SetupError
from gitprompt.server.ui.visitors import (
    Anybody,
    check_origin,
    cookie_of,
    name_of,
    transport_of,
)


def scope(
    *headers: tuple[str, str], scheme: str = "http", client: str = "127.0.0.1"
) -> dict[str, Any]:
    pairs = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers]
    return {"headers": pairs, "scheme": scheme, "client": (client, 1)}


@pytest.mark.parametrize(
    ("cookies", "found"),
    [
        (["gitprompt_ui=abc"], "abc"),
        (["a=1; gitprompt_ui=abc; b=2"], "abc"),
        (["a=1", "gitprompt_ui=abc"], "abc"),
        (["gitprompt_ui=abc; gitprompt_ui=def"], ""),  # another page of the site has set one
        (["gitprompt_ui=abc", "gitprompt_ui=def"], ""),
        (["xgitprompt_ui=abc"], ""),
        (["gitprompt_ui=" + "x" * 300], ""),
        ([], ""),
    ],
)
def test_the_cookie_is_the_only_one_of_its_name(cookies: list[str], found: str) -> None:
    assert cookie_of(scope(*(("Cookie", value) for value in cookies)), "gitprompt_ui") == found


def test_over_https_the_name_has_the_prefix() -> None:
    assert name_of(is_https=True) == "__Secure-gitprompt_ui"
    assert name_of(is_https=False) == "gitprompt_ui"


@pytest.mark.parametrize(
    ("headers", "scheme", "passes"),
    [
        ([("Sec-Fetch-Site", "same-origin")], "http", True),
        ([("Sec-Fetch-Site", "same-site"), ("Origin", "http://h"), ("Host", "h")], "http", False),
        ([("Origin", "http://h:3000"), ("Host", "h:3000")], "http", True),
        ([("Origin", "https://h"), ("Host", "h")], "http", False),
        ([("Origin", "https://h"), ("Host", "h")], "https", True),
        ([("Origin", "http://h.evil"), ("Host", "h")], "http", False),
        ([("Host", "h")], "http", False),
        ([("Origin", "null"), ("Host", "h")], "http", False),
        ([("Origin", "http://"), ("Host", "")], "http", False),
    ],
)
def test_a_form_says_where_it_comes_from(
    headers: list[tuple[str, str]], scheme: str, passes: bool
) -> None:
    if passes:
        check_origin(scope(*headers, scheme=scheme))
    else:
        with pytest.raises(Forbidden):
            check_origin(scope(*headers, scheme=scheme))


def test_whoever_is_on_the_way_is_known() -> None:
    assert transport_of(scope(scheme="https", client="10.0.0.9")) == "https"
    assert transport_of(scope()) == "loopback"
    assert transport_of(scope(client="10.0.0.9")) == "plain"


def anybody(
    *headers: tuple[str, str], client: str = "127.0.0.1", workspace: str | None = None
) -> Any:
    return asyncio.run(Anybody(ServerSettings()).find(scope(*headers, client=client), workspace))


@pytest.mark.parametrize("host", ["localhost:3000", "127.0.0.1:3000", "[::1]:3000", "localhost"])
def test_on_this_machine_anybody_may_look(host: str) -> None:
    visitor = anybody(("Host", host), workspace="team")
    assert visitor.principal.scopes == {"read"}
    assert not visitor.may_change
    assert visitor.principal.workspace == "team"


def test_a_name_that_somebody_else_made_lead_here_is_refused() -> None:
    with pytest.raises(Forbidden):
        anybody(("Host", "rebound.example:3000"))
    with pytest.raises(Forbidden):
        anybody(("Host", "localhost:3000"), client="10.0.0.9")
    with pytest.raises(Forbidden):
        anybody(("Host", "localhost:3000"), ("X-Forwarded-For", "8.8.8.8"))
    with pytest.raises(NotFound):
        anybody(("Host", "localhost"), workspace="../etc")


def test_for_others_nobody_signed_in_is_no_mode() -> None:
    with pytest.raises(SetupError, match="for this machine alone"):
        Anybody(ServerSettings(host="0.0.0.0"))
