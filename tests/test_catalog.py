# SPDX-License-Identifier: Apache-2.0
"""What is served, asked without HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from gitprompt.catalog import Catalog
from gitprompt.errors import BadRequest, Invalid, NotFound
from gitprompt.git.repository import Repository
from gitprompt.registry.sync import Source, Sync
from gitprompt.server.work.requests import Requests
from gitprompt.store.database import Database
from gitprompt.store.index.reader import IndexReader
from gitprompt.store.index.writer import open_index
from tests import databases
from tests.world import WELCOME, Clone

WORKSPACE = "default"
LONG = """\
messages:
  - {role: user, content: "{{#items}}{{.}} {{/items}}{{#deep}}{{#items}}{{#items}}{{/items}}{{/items}}{{/deep}}"}
variables:
  items: {type: array}
  deep: {type: boolean, default: false}
"""


@pytest.fixture
def catalog(published: Clone, tmp_path: Path) -> Iterator[Catalog]:
    """Of welcome 1.0.0 and 1.1.0, with the first in production."""
    published.commit("Change", welcome=WELCOME.replace("Hello", "Hi"))
    published.tag("welcome", "1.1.0")
    published.git("update-ref", "refs/labels/welcome@production", "prompts/welcome/1.0.0^{}")
    published.commit("Long", long=LONG)
    published.tag("long", "1.0.0")
    database = Database(databases.location(tmp_path))
    index = open_index(str(tmp_path / "index.db"))
    sync = Sync(index, database, lambda: 1_700_000_000)
    sync.reconcile(Source(WORKSPACE, Repository.open(str(published.path)), owned=False))
    reader = IndexReader(index.path)
    requests = Requests(memory=2_000_000_000)
    yield Catalog(reader, requests)
    requests.close()
    sync.close()
    reader.close()
    index.close()
    database.close()


def test_a_selector_names_a_version(catalog: Catalog) -> None:
    def number(**selector: str) -> str:
        return catalog.find(WORKSPACE, "welcome", **selector).version.version

    assert number() == "1.1.0"
    assert number(version="1.0.0") == number(label="production") == "1.0.0"


@pytest.mark.parametrize(
    ("name", "selector", "message"),
    [
        ("other", {}, "Prompt not found"),
        ("../etc", {}, "Prompt not found"),
        ("welcome", {"version": "9.0.0"}, "Version not found"),
        ("welcome", {"version": "production"}, "Version not found"),
        ("welcome", {"label": "staging"}, "Label not found"),
    ],
)
def test_what_is_not_there_is_not_found(
    catalog: Catalog, name: str, selector: dict[str, str], message: str
) -> None:
    with pytest.raises(NotFound, match=message):
        catalog.find(WORKSPACE, name, **selector)


def test_two_selectors_are_one_too_many(catalog: Catalog) -> None:
    with pytest.raises(BadRequest):
        catalog.find(WORKSPACE, "welcome", version="1.0.0", label="production")


def test_rendering_leaves_the_document_as_it_is(catalog: Catalog) -> None:
    stored = catalog.find(WORKSPACE, "welcome")
    rendered = asyncio.run(catalog.rendered(WORKSPACE, stored, {"name": "Ada"}))
    assert rendered["messages"][0]["content"] == "Hi Ada!"
    assert catalog.document(stored)["messages"][0]["content"] == "Hi {{name}}!"
    assert catalog.document(stored) is catalog.document(stored)  # decoded once
    with pytest.raises(BadRequest):
        asyncio.run(catalog.rendered(WORKSPACE, stored, {}))


def test_a_comparison_takes_versions_and_labels(catalog: Catalog) -> None:
    comparison = asyncio.run(catalog.diff(WORKSPACE, "welcome", "production", "1.1.0"))
    assert (comparison.old.version.version, comparison.new.version.version) == ("1.0.0", "1.1.0")
    assert [change.area for change in comparison.changes] == ["messages"]


def test_lists_come_in_pages_with_their_total(catalog: Catalog) -> None:
    rows, total = catalog.prompts(WORKSPACE, limit=9)
    assert ([row.name for row in rows], total) == (["long", "welcome"], catalog.count(WORKSPACE))
    page, total = catalog.versions(WORKSPACE, "welcome", limit=1)
    assert (len(page), total) == (1, 2)
    assert catalog.labels(WORKSPACE, "welcome", limit=9)[1] == 1
    assert catalog.label(WORKSPACE, "welcome", "production")[0] == "1.0.0"
    moves, _ = catalog.history(WORKSPACE, "welcome", "production", limit=9)
    assert [move.version for _, move in moves] == ["1.0.0"]
    with pytest.raises(NotFound):
        catalog.history(WORKSPACE, "welcome", "staging", limit=9)


def test_what_takes_more_than_a_moment_is_rendered_elsewhere_and_the_same(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored = catalog.find(WORKSPACE, "long")

    def text(number: int) -> str:
        given = {"items": [str(at) for at in range(number)]}
        rendered = asyncio.run(catalog.rendered(WORKSPACE, stored, given))
        return str(rendered["messages"][0]["content"])

    for number in (10, 10_000):
        assert text(number) == "".join(f"{at} " for at in range(number))
    monkeypatch.setattr(Requests, "render", None)
    assert text(10)
    with pytest.raises(TypeError):
        text(10_000)


def test_what_is_over_every_budget_is_refused_in_the_same_words(catalog: Catalog) -> None:
    stored = catalog.find(WORKSPACE, "long")
    given = {"items": ["x"] * 1_000, "deep": True}
    with pytest.raises(Invalid, match=r"takes more than 100,000 steps"):
        asyncio.run(catalog.rendered(WORKSPACE, stored, given))
