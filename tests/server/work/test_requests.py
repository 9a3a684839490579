# SPDX-License-Identifier: Apache-2.0
"""Large documents and long renderings, done in a process: the same outcome as here."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from gitprompt.core.template import MAX_OUTPUT
from gitprompt.core.variables import render
from gitprompt.errors import BadRequest, GitpromptError, Invalid
from gitprompt.registry.admission import check_all
from gitprompt.server.work.requests import Requests

GOOD = {"name": "a", "version": "1.0.0", "messages": [{"role": "user", "content": "Hi {{name}}"}]}
DOCUMENTS: list[Any] = [
    GOOD | {"variables": {"name": {"type": "string"}}},
    GOOD | {"variables": {"nmae": {"type": "string"}}},
    [],
    {"messages": []},
    GOOD | {"messages": [{"role": "user", "content": "{{#open}}"}]},
]


@pytest.fixture(scope="module")
def requests() -> Iterator[Requests]:
    requests = Requests(memory=2_000_000_000)
    yield requests
    requests.close()


def said(refused: Any) -> dict[int, tuple[Any, ...]]:
    return {
        at: (type(error), error.message, error.hint, error.details) for at, error in refused.items()
    }


@pytest.mark.parametrize("severities", [{}, {"undeclared-variable": "warning"}])
def test_documents_are_refused_there_for_the_same_reasons(
    requests: Requests, severities: dict[str, Any]
) -> None:
    there = asyncio.run(requests.check("w", DOCUMENTS, severities, has_fragments=False))
    here = check_all(DOCUMENTS, severities, has_fragments=False)
    assert said(there) == said(here)
    assert {1, 2, 3, 4} >= set(there) >= {2, 3, 4}


def test_messages_are_rendered_there_as_here(requests: Requests) -> None:
    document = {
        "messages": [
            {"role": "user", "content": "{{#items}}{{name}}: {{price}}\n{{/items}}"},
            {"placeholder": "history"},
        ],
        "variables": {"items": {"type": "array"}},
    }
    given = {"items": [{"name": "ü", "price": 1.5}, {"name": "b", "price": 10**18}]}
    placeholders = {"history": [{"role": "assistant", "content": "{{verbatim}}"}]}
    there = asyncio.run(requests.render("w", document, given, placeholders, max_bytes=MAX_OUTPUT))
    assert there == render(document, given, placeholders)


@pytest.mark.parametrize(("given", "kind"), [({}, BadRequest), ({"name": "x" * 2_000}, Invalid)])
def test_what_rendering_raises_is_raised(
    requests: Requests, given: dict[str, str], kind: type[GitpromptError]
) -> None:
    document = GOOD | {"variables": {"name": {"type": "string", "required": True}}}
    with pytest.raises(kind) as raised:
        asyncio.run(requests.render("w", document, given, None, max_bytes=1_000))
    assert raised.value.message
