# SPDX-License-Identifier: Apache-2.0
"""Who asks: a proxy is believed only if the person who runs the server has named it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gitprompt.errors import UsageError
from gitprompt.server.http.proxies import TrustedProxies, parse_proxies
from tests.world import Refused, Server

CHAIN = "6.6.6.6, 203.0.113.9, 10.1.2.3"


def applied(trusted: str, client: str, **headers: str) -> dict[str, Any]:
    scope: dict[str, Any] = {
        "type": "http", "client": (client, 4711), "scheme": "http", "root_path": "",
        "headers": [(b"host", b"sidecar:3000")]
        + [(f"x-forwarded-{name}".encode(), value.encode()) for name, value in headers.items()],
    }  # fmt: skip
    TrustedProxies(parse_proxies(trusted)).apply(scope)
    return scope


@pytest.mark.parametrize(
    ("trusted", "client", "forwarded", "address"),
    [
        ("127.0.0.1", "127.0.0.1", "203.0.113.9", "203.0.113.9"),
        ("127.0.0.1", "127.0.0.1", CHAIN, "10.1.2.3"),
        ("127.0.0.1,10.0.0.0/8", "127.0.0.1", CHAIN, "203.0.113.9"),
        ("10.0.0.0/8", "127.0.0.1", CHAIN, "127.0.0.1"),  # it is not the one that is trusted
        ("127.0.0.1", "127.0.0.1", "", "127.0.0.1"),
        ("127.0.0.1", "127.0.0.1", "6.6.6.6, <script>", "127.0.0.1"),
        ("127.0.0.1", "127.0.0.1", "203.0.113.9:55012", "203.0.113.9"),
        ("::1", "::1", "2001:db8::7", "2001:db8::7"),
        ("::1", "::1", "[2001:db8::7]:443", "2001:db8::7"),
        ("127.0.0.0/8", "::ffff:127.0.0.1", "203.0.113.9", "203.0.113.9"),
        ("10.0.0.0/8", "10.0.0.1", "10.0.0.7, 10.0.0.8", "10.0.0.7"),  # all are proxies
        ("10.0.0.0/8", "testclient", "203.0.113.9", "testclient"),
    ],
)
def test_the_nearest_address_that_is_not_a_proxys_counts(
    trusted: str, client: str, forwarded: str, address: str
) -> None:
    assert applied(trusted, client, **{"for": forwarded})["client"][0] == address


def test_a_trusted_proxy_may_name_protocol_host_and_prefix() -> None:
    scope = applied("127.0.0.1", "127.0.0.1", proto="https", host="p.example:8443", prefix="/a/b/")
    assert (scope["scheme"], scope["root_path"]) == ("https", "/a/b")
    assert [value for name, value in scope["headers"] if name == b"host"] == [b"p.example:8443"]


@pytest.mark.parametrize(
    "headers",
    [
        {"proto": "javascript"},
        {"host": "a b"},
        {"host": "evil/../x"},
        {"prefix": "//evil.example"},
        {"prefix": "/a\r\nx: y"},
        {"prefix": "a"},
    ],
)
def test_what_makes_no_sense_is_ignored(headers: dict[str, str]) -> None:
    scope = applied("127.0.0.1", "127.0.0.1", **headers)
    assert (scope["scheme"], scope["root_path"]) == ("http", "")
    assert (b"host", b"sidecar:3000") in scope["headers"]


def test_a_prefix_that_is_a_setting_is_nobody_elses() -> None:
    """Most proxies pass on what a client says of it, and it would lead around their rules for paths."""
    scope: dict[str, Any] = {
        "client": ("127.0.0.1", 4711), "root_path": "/gitprompt",
        "headers": [(b"x-forwarded-prefix", b"/zz")],
    }  # fmt: skip
    TrustedProxies(parse_proxies("127.0.0.1")).apply(scope)
    assert scope["root_path"] == "/gitprompt"


@pytest.mark.parametrize("text", ["nobody", "10.0.0.1/8", "10.0.0.0/33", "127.0.0.1;::1"])
def test_what_is_no_network_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--trusted-proxies"):
        parse_proxies(text)


@pytest.fixture(params=["", "127.0.0.1"])
def audited(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, Server]]:
    server = Server(
        tmp_path / "data", *(["--trusted-proxies", request.param] * bool(request.param))
    )
    yield request.param, server.start()
    server.stop()


def test_the_audit_has_the_address_of_whoever_asked(audited: tuple[str, Server]) -> None:
    """Nobody is trusted by default, loopback included."""
    trusted, server = audited
    headers = {"Content-Type": "application/json", "X-Forwarded-For": "203.0.113.9"}
    body = json.dumps({"prompt_name": "a", "version_tag": "1"}).encode()
    server.request("/v1/logs", method="POST", headers=headers, content=body)
    row = server.get("/v1/audit-logs")["items"][0]
    assert row["ip_address"] == ("203.0.113.9" if trusted else "127.0.0.1")


def test_a_wrong_network_keeps_the_server_from_starting(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="--trusted-proxies: 'nobody'") as refused:
        Server(tmp_path / "data", "--trusted-proxies", "nobody").start()
    assert refused.value.code == 2
    assert not (tmp_path / "data").exists()
