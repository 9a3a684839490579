# SPDX-License-Identifier: Apache-2.0
"""Query parameters in, pages and error envelopes out."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitprompt.errors import BadRequest, Conflict, Invalid, PayloadTooLarge
from gitprompt.server.http.wire import (
    PageRequest,
    envelope,
    error_response,
    parse_page,
    parse_query,
    read_body,
    request_id,
)
from gitprompt.server.work.held import Held


def test_variables_are_apart_from_other_parameters() -> None:
    query = parse_query(b"version=1.0.0&variables%5Bname%5D=A+b&variables[x]=%C3%A9&limit=")
    assert query.params == {"version": "1.0.0", "limit": ""}
    assert query.variables == {"name": "A b", "x": "é"}
    assert parse_query(b"a=1&a=2").params == {"a": "2"}


def test_a_query_has_a_bounded_number_of_parameters() -> None:
    with pytest.raises(BadRequest, match="more than 1000"):
        parse_query(b"&".join(b"a=1" for _ in range(1_001)))


@pytest.mark.parametrize("id", [b"", b"a b", b"x" * 129, b"\xff", b"a\nb"])
def test_a_request_id_that_is_not_sane_is_replaced(id: bytes) -> None:
    first, second = request_id(id), request_id(id)
    assert first != second
    assert id not in (first, second)
    assert request_id(b"mine-1") == b"mine-1"


@pytest.mark.parametrize(
    "params",
    [
        {"page": "0"}, {"page": "x"}, {"limit": "101"}, {"limit": "-1"}, {"cursor": "%"},
        {"cursor": "WzFd" * 900}, {"cursor": "WyJhIl0="}, {"page": "9" * 16},
    ],
)  # fmt: skip
def test_a_page_that_cannot_be_is_refused_with_its_field(params: dict[str, str]) -> None:
    with pytest.raises(Invalid) as caught:
        parse_page(params, (int,))
    (name,) = params
    assert str(caught.value.message).startswith(name)


@given(st.lists(st.integers(-(1 << 61), 1 << 61), min_size=1, max_size=1))
def test_a_cursor_reads_back(last: list[int]) -> None:
    page = PageRequest(1, 1, [])
    body = envelope(page, 9, ["x"], lambda: last)
    assert parse_page({"cursor": body["nextCursor"]}, (int,)).cursor == last


def test_the_last_page_has_no_cursor() -> None:
    assert envelope(PageRequest(1, 2, []), 1, ["x"], lambda: [1])["nextCursor"] is None
    body = envelope(PageRequest(2, 2, None), 3, ["x"], lambda: [1])
    assert "nextCursor" not in body
    assert body["totalPages"] == 2
    assert PageRequest(3, 20, None).offset == 40


def test_an_error_has_one_envelope() -> None:
    error = Conflict("It exists", hint="Choose another.")
    status, headers, body = error_response(error, b"r-1", {})
    assert status == 409
    assert json.loads(body) == {
        "error": "It exists", "code": "CONFLICT", "hint": "Choose another.", "requestId": "r-1",
    }  # fmt: skip
    assert dict(headers)[b"content-length"] == str(len(body)).encode()


def read(chunks: list[bytes], *, limit: int, length: str = "") -> bytes:
    messages: list[dict[str, Any]] = [
        {"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks
    ]
    messages.append({"type": "http.request", "body": b"", "more_body": False})

    async def receive() -> dict[str, Any]:
        return messages.pop(0)

    headers = [(b"content-length", length.encode())] if length else []
    return asyncio.run(read_body({"headers": headers}, receive, limit, Held(1_000)))


def test_a_body_is_never_held_beyond_its_limit() -> None:
    assert read([b"ab", b"c"], limit=3) == b"abc"
    with pytest.raises(PayloadTooLarge):
        read([b"ab", b"cd"], limit=3)
    for length in ("4", "x", "-1"):
        with pytest.raises(PayloadTooLarge):
            read([], limit=3, length=length)
