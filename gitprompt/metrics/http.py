# SPDX-License-Identifier: Apache-2.0
"""What the exporter and the sidecar share: addresses, tokens, and a body that is sent while it is
made."""

from __future__ import annotations

import asyncio
import hmac
import time
import zlib
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

_TURN = 0.001  # seconds of encoding until others run in between


def split_address(address: str) -> tuple[str, int]:
    """Host and port of "host:port", "[::1]:port" or ":port". Raises ValueError."""
    host, colon, port = str(address).rpartition(":")
    if not colon or not port.isascii() or not port.isdigit() or int(port) > 65_535:
        raise ValueError(f"'{address}' is no address: host:port or :port, such as 127.0.0.1:9090")
    return host.removeprefix("[").removesuffix("]"), int(port)


def join_address(host: str, port: int) -> str:
    """What `split_address` splits, as it is written in a URL."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def bears(token: str, authorization: str) -> bool:
    """Whether an Authorization header is `Bearer` with this token; in constant time."""
    scheme, _, value = authorization.partition(" ")
    return scheme.lower() == "bearer" and hmac.compare_digest(
        value.strip().encode("utf-8", "replace"), token.encode()
    )


def takes_gzip(accept_encoding: str) -> bool:
    """Whether a client takes gzip (RFC 9110, 12.5.3): named, or by a star, and not with q=0."""
    qualities: dict[str, bool] = {}
    for part in accept_encoding.lower().split(","):
        coding, *parameters = (field.strip() for field in part.split(";"))
        weight = next((p[2:] for p in parameters if p.startswith("q=")), "1")
        qualities[coding] = weight.strip("0.") != ""
    return qualities.get("gzip", qualities.get("x-gzip", qualities.get("*", False)))


def gzipped(body: Iterator[bytes]) -> Iterator[bytes]:
    """A body while it is made, compressed."""
    compressor = zlib.compressobj(level=1, wbits=31)
    for part in body:
        yield compressor.compress(part)
    yield compressor.flush()


async def send_parts(send: Callable[[Any], Awaitable[None]], body: Iterator[bytes]) -> None:
    """Send a body while it is made, and let others run every millisecond."""
    done = False
    while not done:
        parts, end = [], time.perf_counter() + _TURN
        while not done and time.perf_counter() < end:
            part = next(body, None)
            done = part is None
            parts.append(part or b"")
        message = {"type": "http.response.body", "body": b"".join(parts), "more_body": not done}
        await send(message)
        await asyncio.sleep(0)
