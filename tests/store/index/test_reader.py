# SPDX-License-Identifier: Apache-2.0
"""What the server reads from the index."""

from __future__ import annotations

from typing import Any

import pytest

from gitprompt.core.model import Finding
from gitprompt.core.publication import Rejection, Suite, Tampering
from gitprompt.core.settings import Settings
from gitprompt.core.versions import precedence
from gitprompt.store.index.reader import IndexReader, PromptFilter
from gitprompt.store.index.writer import IndexWriter, PromptRow, WorkspaceRow
from tests.store.index.indexed import label, put, version

WINDOW: Any = {"limit": 50, "offset": 0}


def test_a_version_is_found_by_its_spelling_and_others_by_precedence(
    index: IndexWriter, reader: IndexReader
) -> None:
    put(index, version("a", "1.0"), document=b'{"x": 1}')
    stored = reader.version("default", "a", "1.0")
    assert stored is not None
    assert stored.document == b'{"x": 1}'
    assert reader.version("default", "a", "1.0.0") is None
    assert reader.version_like("default", "a", "1.0.0") == "1.0"
    assert reader.version("other", "a", "1.0") is None


def test_a_name_is_found_whatever_its_case(index: IndexWriter, reader: IndexReader) -> None:
    put(index, version("Welcome", "1"))
    assert reader.name_like("default", "wELCOME") == "Welcome"
    assert reader.name_like("default", "welcomes") is None


def test_versions_come_newest_first_and_of_one_second_in_order_of_precedence(
    index: IndexWriter, reader: IndexReader
) -> None:
    put(
        index, version("a", "2.0.0", at=5), version("a", "1.0.0", at=5), version("a", "0.1.0", at=9)
    )
    numbers = [row.version.version for row in reader.versions("default", "a", **WINDOW)]
    assert numbers == ["0.1.0", "1.0.0", "2.0.0"]
    assert reader.count_versions("default", "a") == reader.count_versions("default") == 3


def test_a_page_goes_on_after_the_last_row_of_the_page_before(
    index: IndexWriter, reader: IndexReader
) -> None:
    put(index, *(version("a", f"1.{at}.0", at=at // 2) for at in range(6)))
    everything = reader.versions("default", "a", **WINDOW)
    last = everything[2].version
    after = (last.created_at, precedence(last.version))
    assert reader.versions("default", "a", **WINDOW, after=after) == everything[3:]


@pytest.mark.parametrize(
    ("filters", "names"),
    [
        ({}, ["Mail/welcome", "chat", "plain"]),
        ({"query": "WEL"}, ["Mail/welcome"]),
        ({"query": "%"}, []),
        ({"tag": "team"}, ["Mail/welcome", "chat"]),
        ({"label": "production"}, ["chat"]),
        ({"folder": "Mail"}, ["Mail/welcome"]),
        ({"folder": "Mai"}, []),
        ({"folder": "Mail/welcome"}, []),
        ({"tag": "team", "query": "a", "label": "production"}, ["chat"]),
    ],
)
def test_prompts_are_those_that_meet_all_filters(
    index: IndexWriter, reader: IndexReader, filters: Any, names: list[str]
) -> None:
    put(index, version("chat", "1"), version("Mail/welcome", "1"), version("plain", "1"))
    with index.transaction():
        index.put_prompts("default", {"plain": PromptRow("1", 1, "[]")})
        index.put_label("default", label("chat", "production", "1"), bare=False)
        index.put_label("default", label("plain", "production", "1", None), bare=False)
    wanted = PromptFilter(**filters)
    assert [row.name for row in reader.prompts("default", wanted=wanted, **WINDOW)] == names
    assert reader.count_prompts("default", wanted) == len(names)


def test_prompts_whose_last_version_is_the_newest_come_first_if_so_asked(
    index: IndexWriter, reader: IndexReader
) -> None:
    put(index, version("a", "1", at=5), version("b", "1", at=9), version("c", "1", at=5))
    rows = reader.prompts("default", order="updated", **WINDOW)
    assert [row.name for row in rows] == ["b", "a", "c"]
    rest = reader.prompts("default", order="updated", after=(5, "a"), **WINDOW)
    assert [row.name for row in rest] == ["c"]
    assert [row.name for row in reader.prompts("default", after=("a",), **WINDOW)] == ["b", "c"]


def test_folders_are_counted_where_they_are(index: IndexWriter, reader: IndexReader) -> None:
    names = ["top", "a/one", "a/two", "a/b/deep", "a/b/deeper", "ab/x"]
    put(index, *(version(name, "1") for name in names))
    assert reader.folders("default") == [("a", 4), ("ab", 1)]
    assert reader.folders("default", "a") == [("a/b", 2)]
    assert reader.folders("default", "a/b") == []
    assert reader.folders("other") == []


def test_how_labels_came_to_where_they_are(index: IndexWriter, reader: IndexReader) -> None:
    put(index, version("a", "1"), version("a", "2"))
    with index.transaction():
        index.put_label("default", label("a", "back", "1", "2", "1"), bare=False)
        index.put_label("default", label("a", "gone", "1", None), bare=False)
        index.put_label("default", label("a", "live", "1", "2"), bare=False)
    current = reader.current_labels("default", "a")
    assert [(one.label, one.move.version, one.is_rollback) for one in current] == [
        ("back", "1", True), ("live", "2", False),
    ]  # fmt: skip
    everything = reader.timeline("default", "a", limit=50)
    assert len(everything) == 7
    times = [one.move.created_at for one in everything]
    assert times == sorted(times, reverse=True)
    assert reader.timeline("default", "a", limit=2, offset=1) == everything[1:3]
    assert reader.label_names("default") == ["back", "live"]
    authors = reader.authors("default", [("a", "2"), ("none", "1")])
    assert authors == {"a": version("a", "2").author, "none": ""}


def test_a_removed_label_is_in_no_list_and_keeps_its_history(
    index: IndexWriter, reader: IndexReader
) -> None:
    put(index, version("a", "1"), version("a", "2"))
    with index.transaction():
        index.put_label("default", label("a", "gone", "1", None), bare=False)
        index.put_label("default", label("a", "live", "1", "2"), bare=False)
    assert reader.labels("default", "a", **WINDOW) == [("live", "2", 100)]
    assert reader.one_label("default", "a", "gone") is None
    assert reader.label_tip("default", "a", "gone") == ("tip-gone", None)
    moves = reader.moves("default", "a", "gone", **WINDOW, before=None)
    assert [(position, move.version) for position, move in moves] == [(1, None), (0, "1")]
    assert reader.moves("default", "a", "gone", **WINDOW, before=1) == moves[1:]


def test_a_label_is_found_whatever_its_case_its_own_spelling_first(
    index: IndexWriter, reader: IndexReader
) -> None:
    put(index, version("a", "1"))
    with index.transaction():
        index.put_label("default", label("a", "Live", "1"), bare=False)
        index.put_label("default", label("a", "live", "1"), bare=False)
    assert reader.label_like("default", "a", "live") == "live"
    assert reader.label_like("default", "a", "LIVE") in ("Live", "live")
    assert reader.label_like("default", "a", "stage") is None


def test_what_is_rejected_or_tampered_with_comes_back_as_it_was(
    index: IndexWriter, reader: IndexReader
) -> None:
    rejection = Rejection("refs/tags/prompts/a/x", "oid", (Finding("code", "error", "no"),))
    tampering = Tampering("refs/tags/prompts/a/1", "old", None)
    with index.transaction():
        index.reject("default", rejection)
        index.report_tampering("default", tampering)
    assert reader.rejected("default") == [rejection]
    assert reader.tampered("default") == [tampering]
    assert reader.counts() == (0, 1, 1)


def test_suites_and_settings_are_those_of_their_workspace(
    index: IndexWriter, reader: IndexReader
) -> None:
    settings = Settings()._replace(namespace="refs/live")
    with index.transaction():
        index.put_suites("default", [Suite("q", "blob", {"name": "q", "text": "ä"})])
        index.put_workspace("default", WorkspaceRow("main", "head", settings, None))
    assert reader.suite("default", "q") == {"name": "q", "text": "ä"}
    assert reader.suites("other") == {}
    assert reader.settings("default") == settings
    assert reader.settings("other") == Settings()
    assert reader.workspaces() == ["default"]
