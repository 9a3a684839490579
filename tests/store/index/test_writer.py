# SPDX-License-Identifier: Apache-2.0
"""What sync writes into the index, and what it knows of it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gitprompt.core.publication import Rejection, Suite, Tampering
from gitprompt.core.settings import Settings
from gitprompt.errors import SetupError
from gitprompt.store.index.reader import IndexReader
from gitprompt.store.index.writer import IndexWriter, PromptRow, WorkspaceRow, open_index
from tests.store.index.indexed import label, put, version

TAG = "refs/tags/prompts/a/1"


def test_what_raises_in_a_transaction_is_not_there(index: IndexWriter, reader: IndexReader) -> None:
    with pytest.raises(ZeroDivisionError), index.transaction():
        index.put_prompts("default", {"a": PromptRow("1", 1 // 0, "[]")})
    assert reader.count_prompts("default") == 0


def test_every_ref_is_known_as_it_was_last_seen(index: IndexWriter) -> None:
    put(index, version("a", "1"), version("a", "2"), version("a", "3"))
    settings = Settings()
    with index.transaction():
        index.put_workspace("default", WorkspaceRow("main", "head", settings, None))
        index.put_label("default", label("a", "live", "1"), bare=False)
        index.reject("default", Rejection("refs/tags/prompts/a/x", "bad", ()))
        index.reject("default", Rejection("evals/q.yaml", "blob", ()))  # a path is no ref
        index.report_tampering("default", Tampering(TAG, "tag-a-1", "moved"))
        index.report_tampering("default", Tampering("refs/tags/prompts/a/2", "tag-a-2", None))
    assert index.known_refs("default") == {
        TAG: "moved",
        "refs/tags/prompts/a/3": "tag-a-3",
        f"{settings.namespace}/a@live": "tip-live",
        "refs/tags/prompts/a/x": "bad",
    }


def test_tampering_that_is_undone_is_the_pinned_tag_again(index: IndexWriter) -> None:
    put(index, version("a", "1"))
    with index.transaction():
        index.report_tampering("default", Tampering(TAG, "tag-a-1", "moved"))
        index.clear_tampering("default", TAG)
    assert index.known_refs("default") == {TAG: "tag-a-1"}


def test_a_label_that_is_put_again_has_the_moves_of_the_last_time(index: IndexWriter) -> None:
    put(index, version("a", "1"), version("a", "2"))
    with index.transaction():
        index.put_label("default", label("a", "live", "1", "2", "1"), bare=True)
        index.put_label("default", label("a", "live", "2"), bare=False)
    stored = index.label("default", "a", "live")
    assert stored == label("a", "live", "2")
    assert not index.has_unsettled_labels("default", "a", "refs/labels")


def test_a_bare_or_a_rejected_label_may_mean_something_else_later(index: IndexWriter) -> None:
    put(index, version("a", "1"))
    with index.transaction():
        index.put_label("default", label("a", "live", "1"), bare=True)
        index.reject("default", Rejection("refs/labels/b@live", "oid", ()))
    assert index.has_unsettled_labels("default", "a", "refs/labels")
    assert index.has_unsettled_labels("default", "b", "refs/labels")
    assert not index.has_unsettled_labels("default", "ab", "refs/labels")
    assert index.label_refs("default", "b", "refs/labels") == {"refs/labels/b@live": "oid"}


def test_what_is_rejected_is_forgotten_by_prefix_and_no_further(index: IndexWriter) -> None:
    with index.transaction():
        for ref in ("evals/a", "evals/b", "evalsx", "prompts/a"):
            index.reject("default", Rejection(ref, "oid", ()))
        index.unreject_below("default", "evals/")
    assert index.rejected_refs("default", "") == {"evalsx": "oid", "prompts/a": "oid"}


def test_suites_are_replaced_as_a_whole(index: IndexWriter, reader: IndexReader) -> None:
    with index.transaction():
        index.put_suites("default", [Suite("a", "x", {}), Suite("b", "x", {})])
        index.put_suites("other", [Suite("a", "x", {})])
        index.put_suites("default", [Suite("c", "x", {})])
    assert list(reader.suites("default")) == ["c"]
    assert list(reader.suites("other")) == ["a"]


def test_the_row_of_a_prompt_is_the_newest_of_two(index: IndexWriter) -> None:
    older, newer = PromptRow("1.9.0", 50, '["old"]'), PromptRow("1.10.0", 40, '["new"]')
    assert older.joined(newer) == newer.joined(older) == PromptRow("1.10.0", 50, '["new"]')


def test_labels_are_removed_of_one_prompt_or_of_all(index: IndexWriter) -> None:
    put(index, version("a", "1"), version("b", "1"), version("c", "1"))
    with index.transaction():
        for name in "abc":
            index.put_label("default", label(name, "live", "1"), bare=False)
        index.remove_labels("default", "a")
    assert [index.label("default", name, "live") is None for name in "abc"] == [True, False, False]
    with index.transaction():
        index.remove_labels("default")
    assert index.label("default", "b", "live") is None


def test_a_damaged_index_is_thrown_away_and_made_anew(tmp_path: Path) -> None:
    path = tmp_path / "index.db"
    path.write_bytes(b"damaged" * 4_096)
    index = open_index(str(path))
    assert index.known_refs("default") == {}
    index.close()


def test_an_index_in_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="cannot be used"):
        open_index(os.path.join(tmp_path, "none", "index.db"))


def test_equal_indexes_dump_the_same(tmp_path: Path) -> None:
    one, two = IndexWriter(str(tmp_path / "1.db")), IndexWriter(str(tmp_path / "2.db"))
    put(one, version("a", "1"), version("b", "1"))
    put(two, version("b", "1"), version("a", "1"))
    assert list(one.dump()) == list(two.dump())
    put(two, version("c", "1"))
    assert list(one.dump()) != list(two.dump())
    one.close()
    two.close()
