# SPDX-License-Identifier: Apache-2.0
"""A proxy that is named says who asks; nobody else does."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from gitprompt.config import ServerSettings
from gitprompt.errors import Forbidden, NotFound, Unauthorized, UsageError
from gitprompt.server.ui.page import Visitor
from gitprompt.server.ui.proxied import PEER, Proxied
from tests.server.client import Client, publish
from tests.server.ui.browsing import FROM_HERE, words
from tests.world import Refused, Server

SCOPES = "admins=read,write,admin;devs=read,write;*=read"


def visit(
    *headers: tuple[str, str], peer: str = "10.0.0.5", workspace: str | None = None, **more: Any
) -> Visitor:
    settings = ServerSettings(
        ui_auth="proxy",
        **{"ui_proxy_from": "10.0.0.5, 192.168.0.0/24", "ui_proxy_scopes": SCOPES, **more},
    )
    pairs = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers]
    scope = {"headers": pairs, PEER: (peer, 1), "client": ("10.0.0.5", 1)}
    return asyncio.run(Proxied(settings).find(scope, workspace))


ADA = ("X-Forwarded-User", "ada@example.com")


def test_who_asks_is_whom_the_proxy_names() -> None:
    visitor = visit(ADA, ("X-Forwarded-Groups", "people, devs"), workspace="team")
    assert visitor.principal.key_name == "ada@example.com"
    assert visitor.principal.scopes == {"read", "write"}
    assert (visitor.principal.workspace, visitor.may_change) == ("team", True)
    assert visit(ADA).principal.scopes == {"read"}
    assert not visit(ADA).may_change
    assert visit(ADA, peer="::ffff:10.0.0.5").principal.scopes == {"read"}


def test_a_header_from_elsewhere_says_nothing() -> None:
    with pytest.raises(Forbidden):
        visit(ADA, peer="10.0.0.6")  # whatever the address is that a header tells
    with pytest.raises(Forbidden):
        visit(ADA, peer="")
    with pytest.raises(Unauthorized):
        visit()
    with pytest.raises(Unauthorized, match="lets a header through"):
        visit(ADA, ("X-Forwarded-User", "root"))
    with pytest.raises(Unauthorized):
        visit(("X-Forwarded-User", "a\tb"))
    with pytest.raises(NotFound):
        visit(ADA, workspace="../etc")


def test_a_secret_is_asked_for_if_there_is_one() -> None:
    with pytest.raises(Forbidden):
        visit(ADA, ui_proxy_secret="s3cret")
    with pytest.raises(Forbidden):
        visit(ADA, ("X-Gitprompt-Proxy-Secret", "wrong"), ui_proxy_secret="s3cret")
    assert visit(ADA, ("X-Gitprompt-Proxy-Secret", "s3cret"), ui_proxy_secret="s3cret")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"ui_proxy_from": ""}, "needs --ui-proxy-from"),
        ({"ui_proxy_from": "*"}, "needs --ui-proxy-from"),
        ({"ui_proxy_from": "0.0.0.0/0"}, "not half of all addresses"),
        ({"ui_proxy_from": "0.0.0.0/1,128.0.0.0/1"}, "not half of all addresses"),
        ({"ui_proxy_from": "::/0"}, "not half of all addresses"),
        ({"ui_proxy_from": "proxy.example"}, "does not appear to be"),
        ({"ui_proxy_scopes": "admins=root"}, "root is not among"),
        ({"ui_proxy_scopes": "=read"}, "is not group=scopes"),
    ],
)
def test_what_cannot_be_is_said_at_the_start(wrong: dict[str, str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        visit(ADA, **wrong)


def test_a_user_of_a_proxy_moves_a_label_in_their_own_name(tmp_path: Path) -> None:
    options = ["--ui-auth", "proxy", "--ui-proxy-from", "127.0.0.1", "--ui-proxy-scopes", SCOPES]
    server = Server(tmp_path / "data", *options).start()
    try:
        publish(Client(server), "greet")
        headers = {**FROM_HERE, "X-Forwarded-User": "grace", "X-Forwarded-Groups": "devs"}
        client = Client(server).http
        page = client.get("/ui/w/default/prompts/greet/labels/staging", headers=headers)
        assert "grace · look and change" in words(page)
        assert "Sign out" not in words(page)
        form = {"action": "move", "to": "1.0.0", "expected": "", "reason": "Try"}
        moved = client.post(
            "/ui/w/default/prompts/greet/labels/staging", data=form, headers=headers
        )
        assert moved.status_code == 303
        (move,) = server.get("/v1/prompts/greet/labels/staging/history")["items"]
        assert move["actor"].startswith("grace <")
        nobody = client.get("/ui/w/default/prompts", headers={"X-Forwarded-User": ""})
        assert nobody.status_code == 401
    finally:
        server.stop()


def test_the_server_does_not_start_without_its_proxies(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="needs --ui-proxy-from"):
        Server(tmp_path / "data", "--ui-auth", "proxy").start()
