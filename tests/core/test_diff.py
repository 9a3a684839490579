# SPDX-License-Identifier: Apache-2.0
"""What differs between two documents, and the bump that it deserves."""

from __future__ import annotations

from typing import Any

import pytest

from gitprompt.core.diff import compare, deserved_bump, segments
from tests.core.documents import prompt

STRING = {"type": "string"}


REQUIRED = {"type": "string", "required": True}


@pytest.mark.parametrize(
    ("before", "after", "bump"),
    [
        (prompt("a {{x}}", x=STRING), prompt("b {{x}}", x=STRING), "patch"),
        (prompt("{{x}}", x=STRING), prompt("{{x}}{{y}}", x=STRING, y=STRING), "minor"),
        (prompt("{{x}}", x=STRING), prompt("{{x}}{{y}}", x=STRING, y=REQUIRED), "major"),
        (prompt("{{x}}{{y}}", x=STRING, y=STRING), prompt("{{x}}", x=STRING), "major"),
        (prompt("{{x}}", x=STRING), prompt("{{x}}", x=REQUIRED), "major"),
        (prompt("{{x}}", x=REQUIRED), prompt("{{x}}", x=STRING), "minor"),
        (prompt("{{x}}", x=STRING), prompt("{{x}}", x={"type": "number"}), "major"),
        (prompt("{{x}}", x={**STRING, "default": "a"}), prompt("{{x}}", x={**STRING, "default": "b"}), "minor"),
        (prompt("{{x}}", x={**REQUIRED, "default": "a"}), prompt("{{x}}", x=REQUIRED), "major"),
        (prompt("x"), {**prompt("x"), "description": "new"}, "patch"),
        (prompt("x"), {**prompt("x"), "model_config": {"model": "m"}}, "minor"),
        (prompt("x"), {**prompt("x"), "type": "text"}, "major"),
        (prompt("x"), {**prompt("x"), "type": "chat"}, None),
        (prompt("x"), {"messages": [*prompt("x")["messages"], *prompt("y")["messages"]]}, "minor"),
        (prompt("x"), {"messages": [{"role": "system", "content": "x"}]}, "minor"),
        (prompt("x"), {**prompt("x"), "name": "n", "version": "2.0.0"}, None),
    ],
)  # fmt: skip
def test_the_bump_that_a_change_deserves(before: Any, after: Any, bump: str | None) -> None:
    assert deserved_bump(compare(before, after)) == bump


def test_a_change_is_told_by_its_path() -> None:
    before = {**prompt("Hello"), "model_config": {"temperature": 0.7, "model": "a"}}
    after = {**prompt("Hello there"), "model_config": {"temperature": 0.2, "model": "a"}}
    changes = compare(before, after)
    assert [(c.area, c.kind, c.path) for c in changes] == [
        ("messages", "changed", "messages[0]"),
        ("settings", "changed", "model_config.temperature"),
    ]


def test_segments_put_both_sides_together_again() -> None:
    before, after = "the quick brown fox\njumps", "the slow brown fox\njumped over"
    pieces = segments(before, after)
    assert "".join(t for op, t in pieces if op != "insert") == before
    assert "".join(t for op, t in pieces if op != "delete") == after
    assert ("equal", " brown fox\n") in pieces


def test_very_long_texts_are_compared_in_reasonable_time() -> None:
    before, after = "a b " * 25_000, "a c " * 25_000
    assert segments(before, after) == [("delete", before), ("insert", after)]
