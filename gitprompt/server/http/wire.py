# SPDX-License-Identifier: Apache-2.0
"""What goes over the wire: query parameters in, pages and error envelopes out."""

from __future__ import annotations

import base64
import binascii
import itertools
import re
import secrets
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

import msgspec
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from gitprompt.errors import BadRequest, GitpromptError, Invalid
from gitprompt.server.work.held import Held

encode = msgspec.json.Encoder().encode
_SANE_ID = re.compile(rb"[A-Za-z0-9._:/+=-]{1,128}\Z")
_VARIABLE = re.compile(r"variables\[([^\[\]]+)\]\Z")
_MAX_FIELDS = 1_000
_MAX_PAGE = 1 << 40

RawHeaders = list[tuple[bytes, bytes]]


def request_id(given: bytes) -> bytes:
    """The request's own id if it is sane, otherwise a new one: this process's own beginning, and a
    number. Asking the system for random bytes each time would cost more than the rest of a header."""
    if given and _SANE_ID.match(given):
        return given
    return b"%b%08x" % (_PROCESS, next(_REQUESTS))


_PROCESS = secrets.token_hex(6).encode()
_REQUESTS = itertools.count(1)


def header_of(scope: Scope, name: bytes) -> bytes:
    """The first header of this name, in lower case; empty if there is none."""
    value: bytes = next((value for key, value in scope["headers"] if key == name), b"")
    return value


def raw_json(text: str | None) -> msgspec.Raw | None:
    """A column of JSON, to be sent as it is."""
    return None if text is None else msgspec.Raw(text.encode())


class Json(Response):
    """A JSON answer; encoding is msgspec's."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        return encode(content)


class QueryString(NamedTuple):
    """The query of a request: variables apart, and of a repeated parameter the last."""

    params: Mapping[str, str]
    variables: Mapping[str, str]


def parse_query(raw: bytes) -> QueryString:
    """`variables[name]=A+b` and its percent-encoded form alike; raises BadRequest for too many."""
    if not raw:
        return _NO_QUERY
    try:
        pairs = parse_qsl(raw.decode("latin-1"), keep_blank_values=True, max_num_fields=_MAX_FIELDS)
    except ValueError:
        raise BadRequest(f"more than {_MAX_FIELDS} query parameters") from None
    params: dict[str, str] = {}
    variables: dict[str, str] = {}
    for name, value in pairs:
        match = _VARIABLE.match(name)
        if match:
            variables[match[1]] = value
        else:
            params[name] = value
    return QueryString(params, variables)


_NO_QUERY = QueryString({}, {})


def parse_flag(params: Mapping[str, str], name: str, *, default: bool) -> bool:
    """A parameter that is true or false, in any case. Raises Invalid for anything else."""
    text = params.get(name)
    if text is None:
        return default
    if text.lower() not in _FLAGS:
        raise Invalid(f"{name}: must be true or false", fields=[f"{name}: must be true or false"])
    return _FLAGS[text.lower()]


# Its JSON Schema, whose patterns know no case.
FLAG = {"type": "string", "pattern": "^([Tt][Rr][Uu][Ee]|[Ff][Aa][Ll][Ss][Ee]|[01])$(?!\n)"}
_FLAGS = {"true": True, "1": True, "false": False, "0": False}


class PageRequest(NamedTuple):
    """Which part of a list is wanted. `cursor` None: by page number; [] is the keyset's start."""

    page: int
    limit: int
    cursor: list[Any] | None

    @property
    def offset(self) -> int:
        return 0 if self.cursor is not None else (self.page - 1) * self.limit


def parse_page(params: Mapping[str, str], shape: Sequence[type]) -> PageRequest:
    """Page, limit and cursor; `shape` has the types of a cursor's parts. Raises Invalid."""
    problems: list[str] = []
    page = _integer(params, "page", 1, _MAX_PAGE, problems)
    limit = _integer(params, "limit", 50, 100, problems)
    cursor = None
    if "cursor" in params:
        try:
            cursor = _decode_cursor(params["cursor"], shape)
        except ValueError:
            problems.append("cursor: not one that this list gave")
    if problems:
        raise Invalid("; ".join(problems), fields=problems)
    return PageRequest(page, limit, cursor)


def _integer(
    params: Mapping[str, str], name: str, default: int, highest: int, problems: list[str]
) -> int:
    text = params.get(name)
    if text is None:
        return default
    if re.fullmatch(r"[0-9]{1,15}", text) and 1 <= int(text) <= highest:
        return int(text)
    problems.append(f"{name}: must be an integer between 1 and {highest}")
    return default


def _decode_cursor(text: str, shape: Sequence[type]) -> list[Any]:
    if not text:
        return []
    if len(text) > 2_000:
        raise ValueError
    try:
        parts = msgspec.json.decode(base64.urlsafe_b64decode(text.encode("ascii")))
    except (binascii.Error, UnicodeError, msgspec.DecodeError, RecursionError) as error:
        raise ValueError from error
    if not isinstance(parts, list) or [type(part) for part in parts] != list(shape):
        raise ValueError
    if any(isinstance(part, int) and abs(part) >= 1 << 62 for part in parts):
        raise ValueError
    return parts


def envelope(
    page: PageRequest,
    total: int,
    items: Sequence[Any],
    last: Callable[[], Sequence[Any]],
    *,
    is_cut: bool = False,
    are_more: bool = False,
) -> dict[str, Any]:
    """A page. `last` gives the cursor parts of its last row, asked only for a keyset page, and for one
    that ends early (`is_cut`), since its rows are large. `are_more`: there are more than `total`, which
    nobody has counted."""
    body: dict[str, Any] = {
        "items": items,
        "total": total,
        "page": page.page,
        "limit": page.limit,
        "totalPages": -(-total // page.limit),
    }
    if are_more:
        body["totalIsExact"] = False
    if page.cursor is not None or is_cut:
        full = len(items) == page.limit or is_cut
        body["nextCursor"] = base64.urlsafe_b64encode(encode(last())).decode() if full else None
    return body


Envelope = Callable[[GitpromptError, bytes, Scope], tuple[int, RawHeaders, bytes]]


def error_fields(error: GitpromptError) -> dict[str, Any]:
    """The error envelope, without the request that it belongs to."""
    body: dict[str, Any] = {"error": error.message, "code": error.code}
    if error.details is not None:
        body["details"] = error.details
        body["detailsType"] = "fields" if "fields" in error.details else "context"
    if error.hint:
        body["hint"] = error.hint
    return body


def error_response(
    error: GitpromptError, rid: bytes, scope: Scope
) -> tuple[int, RawHeaders, bytes]:
    """Status, headers and body of the one error envelope."""
    body = error_fields(error)
    body["requestId"] = rid.decode("latin-1")
    payload = encode(body)
    headers: RawHeaders = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(payload)).encode()),
    ]
    headers.extend((name.lower().encode(), value.encode()) for name, value in error.headers.items())
    return error.status, headers, payload


async def send_bytes(send: Send, status: int, headers: RawHeaders, body: bytes) -> None:
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def read_body(scope: Scope, receive: Receive, limit: int, held: Held) -> bytes:
    """The whole body; raises PayloadTooLarge before more than `limit` bytes are held, and Unavailable if
    others hold too much."""
    parts: list[bytes] = []
    async for part in body_parts(scope, receive, limit):
        held.take(scope, len(part))
        parts.append(part)
    return b"".join(parts)


async def body_parts(scope: Scope, receive: Receive, limit: int) -> AsyncIterator[bytes]:
    """The body as it comes. Raises PayloadTooLarge once it has more than `limit` bytes."""
    from gitprompt.errors import PayloadTooLarge

    for name, value in scope["headers"]:
        if name == b"content-length" and (not value.isdigit() or int(value) > limit):
            raise PayloadTooLarge(f"the body is larger than {limit} bytes")
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise BadRequest("the client went away")
        part = message.get("body", b"")
        size += len(part)
        if size > limit:
            raise PayloadTooLarge(f"the body is larger than {limit} bytes")
        yield part
        if not message.get("more_body"):
            return
