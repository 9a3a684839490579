# SPDX-License-Identifier: Apache-2.0
"""Templates: all escaped, all shown, and a page in turns is the page at once."""

from __future__ import annotations

import asyncio

import pytest
from jinja2 import DictLoader, UndefinedError

from gitprompt.server.ui.looks.templating import environment, render, render_in_turns, warm

ROWS = "{% for row in rows %}<p>{{ row }}</p>\n{% endfor %}"


@pytest.fixture(autouse=True)
def templates(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if "shipped" not in request.node.name:
        monkeypatch.setattr(environment(), "loader", DictLoader({"rows": ROWS}))


def test_what_is_written_is_escaped_and_what_hides_is_shown_by_its_number() -> None:
    written = render("rows", {"rows": ["<script>\u202e\ud800"]})
    assert written == b"<p>&lt;script&gt;[U+202E][U+D800]</p>\n"


def test_a_name_that_nobody_gave_is_an_error() -> None:
    with pytest.raises(UndefinedError, match="rows"):
        render("rows", {})


def test_every_shipped_template_loads() -> None:
    warm()
    assert "base.html" in environment().list_templates()


def test_a_page_in_turns_is_the_page_at_once_and_others_have_their_turn() -> None:
    values = {"rows": ["é", "<b>"] * 10_000}
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async def main() -> bytes:
        other = asyncio.create_task(others())
        try:
            return await render_in_turns("rows", values)
        finally:
            other.cancel()

    assert asyncio.run(main()) == render("rows", values)
    assert turns > 2
