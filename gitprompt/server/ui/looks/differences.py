# SPDX-License-Identifier: Apache-2.0
"""The differences between two documents as a page shows them: messages side by side or one below the
other, word by word; variables and settings as rows."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple

from gitprompt.core.diff import Change, Segment, hunks, segments
from gitprompt.core.messages import is_placeholder, role_of
from gitprompt.server.ui.looks import display


class Block(NamedTuple):
    """Lines of two texts that belong together. `line` is that of the new text, from 1, where a part of it
    begins; 0: right below the block before."""

    line: int
    before: Sequence[Segment]
    after: Sequence[Segment]

    @property
    def is_equal(self) -> bool:
        return all(kind == "equal" for kind, _ in (*self.before, *self.after))


class MessageDiff(NamedTuple):
    role: str
    kind: Literal["added", "removed", "changed", "equal"]
    reason: str
    blocks: Sequence[Block]


def messages(
    before: Sequence[Mapping[str, Any]],
    after: Sequence[Mapping[str, Any]],
    changes: Sequence[Change],
    *,
    only_changes: bool,
) -> list[MessageDiff]:
    """The messages of two documents, in the order of the new one; what was removed stands where it was."""
    new: dict[int, Change] = {}
    removed: list[tuple[int, Change]] = []
    for change in changes:
        if change.area == "messages":
            at = int(change.path[len("messages[") : -1])
            if change.kind == "removed":
                removed.append((at, change))
            else:
                new[at] = change
    shown: list[MessageDiff] = []
    for at, message in enumerate(after):
        while removed and removed[0][0] <= at:
            shown.append(_message(removed.pop(0)[1], only_changes=only_changes))
        if at in new:
            shown.append(_message(new[at], only_changes=only_changes))
        elif not only_changes:
            same: Segment = ("equal", text_of(message))
            shown.append(MessageDiff(role_of(message), "equal", "", [Block(1, [same], [same])]))
    shown.extend(_message(change, only_changes=only_changes) for _, change in removed)
    return shown


def _message(change: Change, *, only_changes: bool) -> MessageDiff:
    message = change.before if change.after is None else change.after
    old = "" if change.before is None else text_of(change.before)
    new = "" if change.after is None else text_of(change.after)
    blocks = list(_blocks(old, new) if only_changes else [_whole(old, new)])
    return MessageDiff(role_of(message), change.kind, change.reason, blocks)


def _blocks(before: str, after: str) -> Iterator[Block]:
    for hunk in hunks(before, after):
        line = hunk.line
        for old, new in hunk.parts:
            yield _block(line, old, new)
            line = 0


def _whole(before: str, after: str) -> Block:
    return _block(1, before, after)


def _block(line: int, before: str, after: str) -> Block:
    if before == after:
        same: Segment = ("equal", before)
        return Block(line, [same], [same])
    parts = segments(before, after)
    return Block(
        line,
        [part for part in parts if part[0] != "insert"],
        [part for part in parts if part[0] != "delete"],
    )


def shown_message(message: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a template shows of a message: who speaks, all that it says, how much of it is hidden."""
    text = text_of(message)
    return {"role": role_of(message), "text": text, "hidden": display.hidden_in(text)}


def text_of(message: Mapping[str, Any]) -> str:
    """All that a message says, as text to read: its own text first, what else it has as JSON."""
    if is_placeholder(message):
        return f"messages of {message.get('name')}" + (
            " (required)" * bool(message.get("required"))
        )
    content = message.get("content")
    parts = []
    if isinstance(content, str):
        parts.append(content)
    elif isinstance(content, list):
        parts += [_part(part) for part in content]
    rest = {key: value for key, value in message.items() if key not in ("role", "content")}
    if rest:
        parts.append(json.dumps(rest, ensure_ascii=False, indent=2))
    return "\n".join(parts)


def _part(part: Any) -> str:
    if (
        isinstance(part, Mapping)
        and part.get("type") == "text"
        and isinstance(part.get("text"), str)
    ):
        return str(part["text"])
    return json.dumps(part, ensure_ascii=False, indent=2)
