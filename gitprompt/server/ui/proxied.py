# SPDX-License-Identifier: Apache-2.0
"""`--ui-auth proxy`: a proxy that people sign in to says who asks, in a header.

Anybody can send a header, so that it counts only from the addresses that `--ui-proxy-from` names, which has no
default; and with the secret, if there is one. The address is that of the connection, never one that
another header tells.
"""

from __future__ import annotations

import hmac
from ipaddress import ip_address

from starlette.types import Scope

from gitprompt import keys
from gitprompt.config import ServerSettings
from gitprompt.core.names import DEFAULT_WORKSPACE
from gitprompt.errors import Forbidden, GitpromptError, Unauthorized, UsageError
from gitprompt.server.http.auth import Principal
from gitprompt.server.http.proxies import parse_proxies
from gitprompt.server.http.wire import header_of
from gitprompt.server.ui.page import Visitor, check_known

_SECRET = b"x-gitprompt-proxy-secret"
_EVERYBODY = "*"
_WIDEST = (
    4  # bits of a prefix: a shorter one is no network of proxies, and two of them may be everybody
)
_MAX_NAME = 128
PEER = "gitprompt.peer"  # in the scope: who is connected, whatever a header says


def peer_of(scope: Scope) -> str:
    """The address of whoever is really connected."""
    peer = scope.get(PEER) or scope.get("client")
    return str(peer[0]) if peer else ""


class Proxied:
    has_sessions = False

    def __init__(self, settings: ServerSettings) -> None:
        if "*" in settings.ui_proxy_from or not settings.ui_proxy_from.strip():
            raise UsageError(
                "--ui-auth proxy needs --ui-proxy-from: the addresses of the proxies that are believed",
                hint="Name them: --ui-proxy-from 10.0.0.5. Whoever else sends the header could be anybody.",
            )
        self._networks = parse_proxies(settings.ui_proxy_from)
        if any(network.prefixlen < _WIDEST for network in self._networks):
            raise UsageError("--ui-proxy-from must name the proxies, not half of all addresses")
        self._user = settings.ui_proxy_user_header.lower().encode("latin-1")
        self._groups = settings.ui_proxy_groups_header.lower().encode("latin-1")
        self._secret = settings.ui_proxy_secret.encode()
        self._scopes = _parse_scopes(settings.ui_proxy_scopes)

    async def find(self, scope: Scope, workspace: str | None) -> Visitor:
        self._check_peer(scope)
        user = self._only(scope, self._user)
        if not user:
            raise Unauthorized("The proxy has not said who asks", hint="Is it signed in there?")
        if len(user) > _MAX_NAME or not user.isprintable():
            raise Unauthorized("The proxy sent an invalid name")
        groups = {group.strip() for group in self._only(scope, self._groups).split(",")}
        scopes = frozenset[str]().union(
            *(
                granted
                for group, granted in self._scopes.items()
                if group == _EVERYBODY or group in groups
            )
        )
        check_known(workspace)
        principal = Principal(workspace or DEFAULT_WORKSPACE, scopes, 0, user, True)
        return Visitor(principal, may_change="write" in scopes)

    def _check_peer(self, scope: Scope) -> None:
        try:
            peer = ip_address(peer_of(scope).partition("%")[0])
        except ValueError:
            raise Forbidden("These pages are behind a proxy") from None
        peer = getattr(peer, "ipv4_mapped", None) or peer
        if not any(peer in network for network in self._networks):
            raise Forbidden("These pages are behind a proxy", hint="Open them there.")
        shown = header_of(scope, _SECRET)
        if self._secret and not hmac.compare_digest(shown, self._secret):
            raise Forbidden("These pages are behind a proxy", hint="It must send its secret.")

    def _only(self, scope: Scope, name: bytes) -> str:
        """The value of a header; a client may have sent another of the same name beside the proxy's."""
        values = [value for key, value in scope["headers"] if key == name]
        if len(values) > 1:
            raise Unauthorized("The proxy lets a header through that it sets itself")
        try:
            return values[0].decode().strip() if values else ""
        except UnicodeDecodeError:
            raise Unauthorized("The proxy sent an invalid name") from None


def _parse_scopes(text: str) -> dict[str, frozenset[str]]:
    """Group → scopes of `admins=read,write,admin;*=read`. Raises UsageError."""
    granted: dict[str, frozenset[str]] = {}
    for part in filter(None, (part.strip() for part in text.split(";"))):
        group, equals, scopes = part.partition("=")
        group = group.strip()
        if not equals or not group or group in granted:
            raise UsageError(f"--ui-proxy-scopes: '{part}' is not group=scopes, each group once")
        try:
            granted[group] = frozenset(keys.check_scopes(scopes).split(","))
        except GitpromptError as error:
            raise UsageError(f"--ui-proxy-scopes: {error.message}", hint=error.hint) from None
    return granted
