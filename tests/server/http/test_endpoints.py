# SPDX-License-Identifier: Apache-2.0
"""What an endpoint gets and gives: who asks, and how an answer goes out."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from gitprompt.errors import Invalid
from gitprompt.server.http.auth import Principal
from gitprompt.server.http.endpoints import PAGING, Bytes, Call, Endpoint, actor_of, respond
from gitprompt.server.http.wire import RawHeaders, parse_page
from gitprompt.server.surfaces import ENDPOINTS
from gitprompt.store.tables.audit import Actor

PRINCIPAL = Principal("team", frozenset(("read",)), 7, "ci", False)
LIMITS: RawHeaders = [(b"ratelimit-limit", b"5")]


def sent(status: int, answer: Any, *, head: bool = False) -> tuple[int, dict[bytes, bytes], bytes]:
    """Status, headers and body of a response."""
    messages: list[Any] = []

    async def send(message: Any) -> None:
        messages.append(message)

    asyncio.run(respond(send, status, answer, LIMITS, head=head))
    start, body = messages
    return start["status"], dict(start["headers"]), body["body"]


def test_an_actor_is_a_key_at_an_address_in_a_workspace() -> None:
    actor = actor_of(PRINCIPAL, {"type": "http", "client": ("10.0.0.9", 4711)})
    assert actor == Actor("team", "ci", "10.0.0.9")


@pytest.mark.parametrize("scope", [{"type": "http"}, {"type": "http", "client": None}])
def test_over_a_unix_socket_nobody_has_an_address(scope: dict[str, Any]) -> None:
    assert actor_of(PRINCIPAL, scope).ip_address is None


def test_the_author_of_a_write_has_the_scopes_of_the_key_that_asks() -> None:
    actor = Actor("team", "ci", "10.0.0.9")
    author = Call(PRINCIPAL, actor, {}, {}, None).author
    assert tuple(author) == (actor, 7, frozenset(("read",)))


def test_an_answer_is_json_with_its_length_in_bytes() -> None:
    status, headers, body = sent(201, {"text": "é"})
    assert (status, json.loads(body)) == (201, {"text": "é"})
    assert headers == {
        b"content-type": b"application/json",
        b"content-length": str(len('{"text":"é"}'.encode())).encode(),
        b"ratelimit-limit": b"5",
    }


def test_an_empty_answer_has_neither_body_nor_type() -> None:
    assert sent(204, {"ignored": True}) == (204, {b"ratelimit-limit": b"5"}, b"")


def test_head_gets_the_headers_of_the_answer_and_no_body() -> None:
    status, headers, body = sent(200, {"items": [1, 2, 3]}, head=True)
    assert (status, headers, body) == (*sent(200, {"items": [1, 2, 3]})[:2], b"")


def test_bytes_have_a_status_and_a_type_of_their_own() -> None:
    status, headers, body = sent(200, Bytes(207, b"\x08\x01", "application/x-protobuf"))
    assert (status, body) == (207, b"\x08\x01")
    assert headers[b"content-type"] == b"application/x-protobuf"
    assert headers[b"content-length"] == b"2"


def test_what_is_documented_of_a_page_is_what_is_taken() -> None:
    documented = {parameter.name: parameter.schema for parameter in PAGING}
    for name in ("page", "limit"):
        lowest = documented[name]["minimum"]
        assert getattr(parse_page({name: str(lowest)}, ()), name) == lowest
        with pytest.raises(Invalid, match=name):
            parse_page({name: str(lowest - 1)}, ())
    highest = documented["limit"]["maximum"]
    assert parse_page({"limit": str(highest)}, ()).limit == highest
    with pytest.raises(Invalid, match="limit"):
        parse_page({"limit": str(highest + 1)}, ())


def test_a_row_is_read_by_its_names_alone() -> None:
    row: Any = Endpoint
    with pytest.raises(TypeError):
        row("GET", "/x", "Positional", "read")


def test_no_two_rows_describe_one_method_of_one_path() -> None:
    rows = [(endpoint.method, endpoint.path) for endpoint in ENDPOINTS]
    assert len(set(rows)) == len(rows)


def test_a_row_that_pages_documents_how() -> None:
    paged = [endpoint for endpoint in ENDPOINTS if endpoint.is_page]
    assert len(paged) > 5
    for endpoint in paged:
        assert all(parameter in endpoint.query for parameter in PAGING), endpoint.path
