# SPDX-License-Identifier: Apache-2.0
"""Messages of two documents beside each other: nothing is lost, whatever changed."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from gitprompt.core.diff import compare
from gitprompt.server.ui.looks.differences import MessageDiff, messages, text_of


def differ(
    before: list[dict[str, Any]], after: list[dict[str, Any]], *, only: bool = True
) -> list[MessageDiff]:
    old, new = {"messages": before}, {"messages": after}
    return messages(before, after, compare(old, new), only_changes=only)


def said(role: str, content: Any) -> dict[str, Any]:
    return {"role": role, "content": content}


def test_a_changed_word_is_found_in_its_line() -> None:
    (diff,) = differ([said("user", "one\nBe brief.\nend")], [said("user", "one\nBe precise.\nend")])
    assert (diff.role, diff.kind) == ("user", "changed")
    (changed,) = [block for block in diff.blocks if not block.is_equal]
    assert ("delete", "brief") in changed.before
    assert ("insert", "precise") in changed.after


def test_what_was_removed_stands_where_it_was() -> None:
    before = [said("system", "a"), said("user", "b"), said("assistant", "c")]
    after = [said("system", "a"), said("assistant", "c"), said("user", "d")]
    kinds = [(diff.role, diff.kind) for diff in differ(before, after, only=False)]
    assert kinds == [
        ("system", "equal"),
        ("user", "removed"),
        ("assistant", "equal"),
        ("user", "added"),
    ]


def test_what_is_equal_is_left_out_unless_it_is_asked_for() -> None:
    same = [said("user", "x")]
    assert differ(same, same) == []
    (shown,) = differ(same, same, only=False)
    assert shown.kind == "equal"


def test_everything_that_a_message_says_is_text() -> None:
    assert text_of(said("user", "hi")) == "hi"
    assert (
        text_of({"type": "placeholder", "name": "history", "required": True})
        == "messages of history (required)"
    )
    parts = [
        {"type": "text", "text": "look"},
        {"type": "image_url", "image_url": {"url": "https://x"}},
    ]
    assert text_of(said("user", parts)).splitlines()[0] == "look"
    assert "https://x" in text_of(said("user", parts))
    call = {"role": "assistant", "content": None, "tool_calls": [{"id": "1"}]}
    assert '"tool_calls"' in text_of(call)
    assert text_of(said("user", [3])) == "3"


TEXTS = st.text(alphabet="ab \n", max_size=30)


@given(st.lists(TEXTS, max_size=4), st.lists(TEXTS, max_size=4))
def test_whole_texts_come_back_from_their_parts(old: list[str], new: list[str]) -> None:
    before, after = [said("user", text) for text in old], [said("user", text) for text in new]
    shown = differ(before, after, only=False)
    kept = [diff for diff in shown if diff.kind != "removed"]
    texts = ["".join(text for block in diff.blocks for _, text in block.after) for diff in kept]
    assert texts == new
    gone = [diff for diff in shown if diff.kind != "added"]
    texts = ["".join(text for block in diff.blocks for _, text in block.before) for diff in gone]
    assert sorted(texts) == sorted(old)
