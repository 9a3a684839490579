# SPDX-License-Identifier: Apache-2.0
"""Who looks at a page, by the mode of `--ui-auth`; and whether a form was sent by a page of ours.

A browser sends the cookie with whatever it is made to send, so that what changes something must say that it
comes from here: by `Sec-Fetch-Site`, which no page can forge, or, where a browser leaves that out because the
address is neither https nor loopback, by `Origin`.
"""

from __future__ import annotations

from ipaddress import ip_address
from typing import Protocol

from starlette.types import Scope

from gitprompt.config import ServerSettings
from gitprompt.core.names import DEFAULT_WORKSPACE
from gitprompt.errors import Forbidden, SetupError, Unauthorized
from gitprompt.server.http.auth import Principal
from gitprompt.server.http.wire import header_of
from gitprompt.server.ui.page import Transport, View, Visitor, check_known
from gitprompt.server.ui.proxied import Proxied, peer_of
from gitprompt.server.ui.sessions import Sessions

_COOKIE = "gitprompt_ui"
_MAX_COOKIE = 200  # characters
_FORWARDED = (b"forwarded", b"via", b"x-forwarded-for", b"x-forwarded-host", b"x-real-ip")
_LOOPBACK = ("localhost", "127.0.0.1", "[::1]")


class Visitors(Protocol):
    """A mode of `--ui-auth`."""

    has_sessions: bool

    async def find(self, scope: Scope, workspace: str | None) -> Visitor:
        """Who sends a request, in a workspace (None: their own). Raises Unauthorized for nobody, and NotFound
        for a workspace that is not theirs, as if it did not exist."""


def visitors(settings: ServerSettings, sessions: Sessions) -> Visitors | None:
    """None: there are no pages. Raises UsageError or SetupError for a mode that cannot be had so."""
    if settings.ui_auth == "off":
        return None
    if settings.ui_auth == "proxy":
        return Proxied(settings)
    if settings.ui_auth == "local":
        return Anybody(settings)
    return SignedIn(sessions)


class SignedIn:
    """By a session in a cookie."""

    has_sessions = True

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    async def find(self, scope: Scope, workspace: str | None) -> Visitor:
        value = session_of(scope)
        if not value:
            raise Unauthorized("Sign in first")
        check_known(workspace)
        hashed, principal, may_change = await self._sessions.find(value, workspace)
        return Visitor(principal, may_change, hashed)


def session_of(scope: Scope) -> str:
    """The cookie of a session; empty if there is none."""
    return cookie_of(scope, name_of(is_https=scope.get("scheme") == "https"))


class Anybody:
    """Whoever is on this machine, to look only. The name of the host is checked, since a name of somebody
    else's may lead here, and its pages would then be of one origin with ours."""

    has_sessions = False

    def __init__(self, settings: ServerSettings) -> None:
        if not _is_loopback(settings.host):
            raise SetupError(
                f"--ui-auth local is for this machine alone, and {settings.host} is an address for others",
                hint="Listen on 127.0.0.1, or let people sign in: --ui-auth key",
            )

    async def find(self, scope: Scope, workspace: str | None) -> Visitor:
        host = header_of(scope, b"host").decode("latin-1").lower()
        name = host if host.endswith("]") else host.rpartition(":")[0] or host
        forwarded = any(
            key in _FORWARDED for key, _ in scope["headers"]
        )  # for whoever asked a proxy here
        if name not in _LOOPBACK or not _is_loopback(peer_of(scope)) or forwarded:
            raise Forbidden("These pages are for this machine alone", hint="Open http://127.0.0.1")
        check_known(workspace)
        principal = Principal(
            workspace or DEFAULT_WORKSPACE, frozenset(("read",)), 0, "somebody here", True
        )
        return Visitor(principal, may_change=False)


def _is_loopback(address: str) -> bool:
    try:
        return address == "localhost" or ip_address(address.partition("%")[0]).is_loopback
    except ValueError:
        return False


# Cookies


def name_of(*, is_https: bool) -> str:
    """The prefix lets no other page of the site set it without https."""
    return f"__Secure-{_COOKIE}" if is_https else _COOKIE


def cookie_of(scope: Scope, name: str) -> str:
    """The value of a cookie; empty if there is none, or more than one: then somebody has set another."""
    values = []
    for key, value in scope["headers"]:
        if key == b"cookie":
            pairs = (part.strip().partition("=") for part in value.decode("latin-1").split(";"))
            values += [given for cookie, _, given in pairs if cookie == name]
    return values[0] if len(values) == 1 and len(values[0]) <= _MAX_COOKIE else ""


def session_cookie(view: View, value: str) -> bytes:
    """A session for the browser to keep as long as it runs; empty: to forget."""
    is_https = view.transport == "https"
    return cookie(view, name_of(is_https=is_https), value, seconds=None if value else 0)


def cookie(view: View, name: str, value: str, *, seconds: int | None) -> bytes:
    """A cookie for the pages alone. Lax: a link in a chat opens the page, and no form of another site sends it."""
    parts = [f"{name}={value}", f"Path={view.links.root}/ui", "HttpOnly", "SameSite=Lax"]
    if view.transport == "https":
        parts.append("Secure")
    if seconds is not None:
        parts.append(f"Max-Age={seconds}")
    return "; ".join(parts).encode("latin-1")


def transport_of(scope: Scope) -> Transport:
    if scope.get("scheme") == "https":
        return "https"
    return "loopback" if _is_loopback(peer_of(scope)) else "plain"


# Where a form comes from


def check_origin(scope: Scope) -> None:
    """Raise Forbidden for what was not sent by a page of ours."""
    site = header_of(scope, b"sec-fetch-site")
    if site:
        if site == b"same-origin":
            return
    else:
        origin = header_of(scope, b"origin")
        host = header_of(scope, b"host")
        here = f"{scope.get('scheme', 'http')}://".encode() + host
        if host and origin.lower() == here.lower():
            return
    raise Forbidden(
        "This form was not sent by a page of this server",
        hint="Open the page here, and send it again. Programs use the API.",
    )
