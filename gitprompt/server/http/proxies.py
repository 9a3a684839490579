# SPDX-License-Identifier: Apache-2.0
"""What a reverse proxy may say about a request: the client's address, protocol, host and prefix.

Anybody can send these headers, so that they count only if the connection comes from an address
that `--trusted-proxies` names. Of `X-Forwarded-For` the last address counts that is not a trusted
proxy's itself: what stands before it was written by whoever sent the request.
"""

from __future__ import annotations

import re
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from starlette.types import Scope

from gitprompt.errors import UsageError

Network = IPv4Network | IPv6Network

HOST = re.compile(r"[A-Za-z0-9.-]{1,253}(:[0-9]{1,5})?\Z|\[[0-9A-Fa-f:.]{2,45}\](:[0-9]{1,5})?\Z")
_PREFIX = re.compile(r"(?=.{1,1024}\Z)(?:/[A-Za-z0-9._~-]+)+\Z")
_WITH_PORT = re.compile(r"(?:\[([^\]]*)\]|([^:]*))(?::[0-9]+)?\Z")


def parse_proxies(text: str) -> tuple[Network, ...]:
    """The networks of a comma-separated list of addresses and CIDR blocks. Raises UsageError."""
    networks: list[Network] = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        try:
            networks.append(ip_network(part))
        except ValueError as error:
            raise UsageError(
                f"--trusted-proxies: {error}",
                hint="Give addresses or CIDR blocks: 127.0.0.1,10.0.0.0/8",
            ) from None
    return tuple(networks)


def parse_root_path(text: str) -> str:
    """The path that requests are below, without a final slash. Raises UsageError."""
    path = text.rstrip("/")
    if path and not _PREFIX.match(path):
        raise UsageError(
            f"--root-path {text[:80]!r} is not a path",
            hint="Give a path such as /gitprompt, of letters, digits and . _ ~ -",
        )
    return path


def below(root_path: str, scope: Scope) -> None:
    """Take the root path off a request, if the proxy has not."""
    scope["root_path"] = root_path
    path: str = scope["path"]
    if path.startswith(root_path + "/") or path == root_path:
        scope["path"] = path[len(root_path) :] or "/"


class TrustedProxies:
    """Rewrites the scope of a request by the headers of the proxies that are trusted."""

    def __init__(self, networks: tuple[Network, ...]) -> None:
        self._networks = networks

    def apply(self, scope: Scope) -> None:
        client = scope.get("client")
        if client is None or not self._trusts(client[0]):
            return
        headers: dict[bytes, str] = {}
        for name, value in scope["headers"]:
            if name == b"x-forwarded-for" and name in headers:
                headers[name] += f",{value.decode('latin-1')}"
            elif name.startswith(b"x-forwarded-"):
                headers[name] = value.decode("latin-1").strip()
        address = self._client(headers.get(b"x-forwarded-for", ""))
        if address is not None:
            scope["client"] = (address, 0)
        protocol = headers.get(b"x-forwarded-proto", "")
        if protocol in ("http", "https"):
            scope["scheme"] = protocol
        host = headers.get(b"x-forwarded-host", "")
        if HOST.match(host):
            others = [(name, value) for name, value in scope["headers"] if name != b"host"]
            scope["headers"] = [(b"host", host.encode("ascii")), *others]
        prefix = headers.get(b"x-forwarded-prefix", "").rstrip("/")
        # A setting says it better: few proxies take the header off what a client sends.
        if _PREFIX.match(prefix) and not scope.get("root_path"):
            scope["root_path"] = prefix

    def _trusts(self, address: str) -> bool:
        try:
            parsed = ip_address(address)
        except ValueError:
            return False
        mapped = getattr(parsed, "ipv4_mapped", None) or parsed
        return any(mapped in network for network in self._networks)

    def _client(self, forwarded: str) -> str | None:
        """The nearest address that is not a proxy's; None if nothing says."""
        nearest = None
        for part in reversed(forwarded.split(",")):
            match = _WITH_PORT.match(part.strip())
            text = (match[1] or match[2]) if match else ""
            if part.count(":") > 1 and "[" not in part:
                text = part.strip()  # IPv6, as it is mostly written
            try:
                nearest = str(ip_address(text))
            except ValueError:
                return nearest  # not an address: whoever wrote it is not to be believed further
            if not self._trusts(nearest):
                return nearest
        return nearest
