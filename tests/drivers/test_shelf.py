# SPDX-License-Identifier: Apache-2.0
"""Files for readers without Git: a version is written once, and a label never goes back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from obstore.store import MemoryStore

from gitprompt.drivers.bucket import Bucket
from gitprompt.drivers.shelf import Served, Shelf

DOCUMENT = b'{"messages": []}'
KEY = "p/labels/a/b/production.json"


@pytest.fixture
def store() -> Bucket:
    return Bucket(MemoryStore(), "memory")


def served(
    *versions: tuple[str, str], labels: Mapping[tuple[str, str], str | None] | None = None
) -> Served:
    return Served(versions, labels or {}, lambda *_: DOCUMENT)


def moved(version: str | None) -> Served:
    return served(labels={("a/b", "production"): version})


def said(store: Bucket, key: str = KEY) -> Any:
    data = store.get(key)
    return json.loads(data) if data else None


def test_a_version_is_written_once(store: Bucket) -> None:
    shelf = Shelf(store, "p/")
    assert shelf.show("default", 1, served(("a/b", "1.0.0"), ("c", "2")))
    assert store.get("p/prompts/a/b/1.0.0.json") == store.get("p/prompts/c/2.json") == DOCUMENT
    store.remove("p/prompts/c/2.json")
    assert shelf.show("default", 2, served(("a/b", "1.0.0"), ("c", "2")))
    assert store.get("p/prompts/c/2.json") is None, "it is known to have been written"
    assert Shelf(store, "p/").show("default", 2, served(("a/b", "1.0.0"), ("c", "2")))
    assert store.get("p/prompts/c/2.json") == DOCUMENT


def test_other_workspaces_are_apart(store: Bucket) -> None:
    Shelf(store, "").show("billing", 1, served(("a", "1"), labels={("a", "x"): "1"}))
    assert store.get("workspaces/billing/prompts/a/1.json") == DOCUMENT
    assert said(store, "workspaces/billing/labels/a/x.json")["version_tag"] == "1"


def test_what_is_lost_is_not_written(store: Bucket) -> None:
    lost = Served([("a", "1")], {}, lambda *_: None)
    shelf = Shelf(store, "")
    assert shelf.show("default", 1, lost)
    assert store.get("prompts/a/1.json") is None
    assert shelf.show("default", 2, served(("a", "1")))
    assert store.get("prompts/a/1.json") == DOCUMENT


def test_a_label_follows_and_leaves_a_mark_when_it_is_removed(store: Bucket) -> None:
    shelf = Shelf(store, "p/")
    assert shelf.show("default", 1, moved(None))
    assert store.get(KEY) is None
    assert shelf.show("default", 3, moved("1.0.0"))
    assert said(store) == {
        "name": "a/b", "label": "production", "version_tag": "1.0.0", "position": 3
    }  # fmt: skip
    assert shelf.show("default", 4, moved("1.0.0"))
    assert said(store)["position"] == 3
    assert shelf.show("default", 5, moved(None))
    assert said(store)["version_tag"] is None


def test_whoever_is_late_does_not_put_a_label_back(store: Bucket) -> None:
    early, late = Shelf(store, "p/"), Shelf(store, "p/")
    early.show("default", 7, moved("2.0.0"))
    assert late.show("default", 6, moved("1.0.0"))
    assert said(store)["version_tag"] == "2.0.0"
    other = Shelf(store, "p/")
    assert not other.show("default", 7, moved("1.0.0")), "one of them knows more than it says"
    assert said(store)["version_tag"] == "2.0.0"
    assert other.show("default", 8, moved("1.0.0")), "and says so the next time"
    assert said(store)["position"] == 8


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b'{"position": "1", "version_tag": "x"}'])
def test_what_nobody_can_read_is_replaced(store: Bucket, data: bytes) -> None:
    store.create(KEY, data)
    assert Shelf(store, "p/").show("default", 0, moved("1.0.0"))
    assert said(store)["version_tag"] == "1.0.0"


def test_two_who_move_at_once_agree_on_the_later(store: Bucket) -> None:
    first = Shelf(store, "p/")
    first.show("default", 1, moved("1.0.0"))

    class Meanwhile(Bucket):
        def replace(self, key: str, data: bytes, tag: str) -> bool:
            first.show("default", 9, moved("3.0.0"))
            return super().replace(key, data, tag)

    Shelf(Meanwhile(store._store, "memory"), "p/").show("default", 5, moved("2.0.0"))
    assert said(store)["version_tag"] == "3.0.0"


def test_whoever_is_stopped_says_that_there_is_more(store: Bucket) -> None:
    shelf = Shelf(store, "")
    shelf.stop()
    assert not shelf.show("default", 1, served(("a", "1")))
    assert store.get("prompts/a/1.json") is None
