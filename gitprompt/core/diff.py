# SPDX-License-Identifier: Apache-2.0
"""The difference between two documents, and the SemVer bump that it deserves.

The rules, from the point of view of a program that renders the prompt:

=====  =========================================================================================
major  a variable is removed, becomes required, or changes its type; a required one is added;
       a required variable loses its default; a required placeholder is added; `type` changes
minor  an optional variable is added; a required one becomes optional; a default changes; a
       message is added or removed, or changes its role; `model_config`, `ollama` or an unknown
       setting changes
patch  wording, description, tags, metadata, tests and deprecation
=====  =========================================================================================
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple

from gitprompt.core.messages import is_placeholder, role_of
from gitprompt.core.model import Document
from gitprompt.core.variables import effective
from gitprompt.core.versions import Bump

Kind = Literal["added", "removed", "changed"]
Segment = tuple[Literal["equal", "insert", "delete"], str]

RANK: dict[Bump, int] = {"patch": 0, "minor": 1, "major": 2}
_WORDING = frozenset({"description", "tags", "metadata", "deprecated", "tests"})
_STRUCTURE = frozenset({"name", "version", "messages", "variables"})
_TOKEN = re.compile(r"\s+|\w+|[^\w\s]")
_CONTEXT = 3  # lines around a change
_MAX_TOKENS = 5_000  # per side: the time grows with the square, in steps of 64


class Change(NamedTuple):
    """One difference. `area` is messages, variables or settings; `path` names it in the document."""

    area: Literal["messages", "variables", "settings"]
    kind: Kind
    path: str
    bump: Bump
    before: Any = None
    after: Any = None
    reason: str = ""


def compare(before: Document, after: Document) -> list[Change]:
    """All differences, in the order messages, variables, settings. Identity is not compared."""
    return [*_messages(before, after), *_variables(before, after), *_settings(before, after)]


def deserved_bump(changes: Sequence[Change]) -> Bump | None:
    """The bump that the changes deserve together, or None if nothing changed."""
    return max((change.bump for change in changes), key=RANK.__getitem__, default=None)


def segments(before: str, after: str) -> list[Segment]:
    """Intra-line differences by word. Very long texts are compared by line instead."""
    old, new = _TOKEN.findall(before), _TOKEN.findall(after)
    if max(len(old), len(new)) > _MAX_TOKENS:
        old, new = before.splitlines(keepends=True), after.splitlines(keepends=True)
    if max(len(old), len(new)) > _MAX_TOKENS:
        return [("delete", before), ("insert", after)]
    result: list[Segment] = []
    for i1, i2, j1, j2, is_equal in _blocks(old, new):
        if is_equal:
            result.append(("equal", "".join(old[i1:i2])))
            continue
        if i1 < i2:
            result.append(("delete", "".join(old[i1:i2])))
        if j1 < j2:
            result.append(("insert", "".join(new[j1:j2])))
    return result


class _Block(NamedTuple):
    """old[i1:i2] became new[j1:j2]."""

    i1: int
    i2: int
    j1: int
    j2: int
    is_equal: bool

    def first(self, count: int) -> _Block:
        """The first of the lines of an equal block."""
        length = min(self.i2 - self.i1, count)
        return self._replace(i2=self.i1 + length, j2=self.j1 + length)

    def last(self, count: int) -> _Block:
        length = min(self.i2 - self.i1, count)
        return self._replace(i1=self.i2 - length, j1=self.j2 - length)


def _blocks(old: Sequence[Hashable], new: Sequence[Hashable]) -> list[_Block]:
    """What is equal and what is not, in turn, by the longest common subsequence, as git has it."""
    from rapidfuzz.distance import Indel

    blocks: list[_Block] = []
    for op in Indel.opcodes(old, new):
        spans = op.src_start, op.src_end, op.dest_start, op.dest_end
        block = _Block(*spans, op.tag == "equal")
        if blocks and blocks[-1].is_equal == block.is_equal:
            block = _Block(blocks[-1].i1, block.i2, blocks[-1].j1, block.j2, block.is_equal)
            blocks.pop()
        blocks.append(block)
    return blocks


class Hunk(NamedTuple):
    """Lines that differ, with a few around them. `line` is where the new text has it, from 1. `parts`
    are (text before, text after), equal for what is around."""

    line: int
    parts: tuple[tuple[str, str], ...]


def hunks(before: str, after: str) -> list[Hunk]:
    """Where two texts differ, line by line. Very long ones are one hunk."""
    old, new = before.split("\n"), after.split("\n")
    if max(len(old), len(new)) > _MAX_TOKENS:
        return [Hunk(1, ((before, after),))]
    return [
        Hunk(
            group[0].j1 + 1,
            tuple(("\n".join(old[b.i1 : b.i2]), "\n".join(new[b.j1 : b.j2])) for b in group),
        )
        for group in _with_context(_blocks(old, new))
    ]


def _with_context(blocks: Sequence[_Block]) -> list[list[_Block]]:
    """Blocks that differ, with a few lines around them; those that are near each other together."""
    groups: list[list[_Block]] = []
    for at, block in enumerate(blocks):
        if block.is_equal:
            continue
        gap = blocks[at - 1] if at else None
        if groups and gap is not None and gap.i2 - gap.i1 <= 2 * _CONTEXT:
            groups[-1][-1] = gap
            groups[-1].append(block)
        else:
            groups.append([gap.last(_CONTEXT), block] if gap is not None else [block])
        if at + 1 < len(blocks):
            groups[-1].append(blocks[at + 1].first(_CONTEXT))
    return groups


def _messages(before: Document, after: Document) -> Iterator[Change]:
    old, new = before["messages"], after["messages"]
    for i1, i2, j1, j2, is_equal in _blocks([*map(_key, old)], [*map(_key, new)]):
        if is_equal:
            continue
        paired = min(i2 - i1, j2 - j1)
        for offset in range(paired):
            yield _message_change(j1 + offset, old[i1 + offset], new[j1 + offset])
        for index in range(i1 + paired, i2):
            path = f"messages[{index}]"
            yield Change("messages", "removed", path, "minor", before=old[index])
        for index in range(j1 + paired, j2):
            is_new = _is_newly_required(new[index], None)
            bump: Bump = "major" if is_new else "minor"
            reason = "newly required" if is_new else ""
            path = f"messages[{index}]"
            yield Change("messages", "added", path, bump, None, new[index], reason)


def _key(message: Mapping[str, Any]) -> str:
    return repr(sorted(message.items(), key=lambda item: item[0]))


def _message_change(index: int, old: Mapping[str, Any], new: Mapping[str, Any]) -> Change:
    bump: Bump = "patch"
    reason = ""
    if _is_newly_required(new, old):
        bump, reason = "major", "newly required"
    elif role_of(old) != role_of(new):
        bump, reason = "minor", f"role {role_of(old)} → {role_of(new)}"
    elif is_placeholder(new):
        bump = "minor"
    return Change("messages", "changed", f"messages[{index}]", bump, old, new, reason)


def _is_newly_required(new: Mapping[str, Any], old: Mapping[str, Any] | None) -> bool:
    """Whether a program that rendered `old` must give a placeholder more for `new`."""
    if not is_placeholder(new) or not new.get("required"):
        return False
    return not (old and is_placeholder(old) and old.get("required") and old["name"] == new["name"])


def _variables(before: Document, after: Document) -> Iterator[Change]:
    old, new = effective(before), effective(after)
    for name in sorted(old.keys() | new.keys()):
        path = f"variables.{name}"
        if name not in new:
            yield Change("variables", "removed", path, "major", old[name], None, "removed")
        elif name not in old:
            required = _is_required(new[name])
            bump: Bump = "major" if required else "minor"
            reason = "newly required" if required else "new and optional"
            yield Change("variables", "added", path, bump, None, new[name], reason)
        elif old[name] != new[name]:
            bump, reason = _variable_bump(old[name], new[name])
            yield Change("variables", "changed", path, bump, old[name], new[name], reason)


def _is_required(spec: Mapping[str, Any]) -> bool:
    return bool(spec.get("required")) and "default" not in spec


def _variable_bump(old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[Bump, str]:
    if old.get("type") != new.get("type"):
        return "major", f"type {old.get('type')} → {new.get('type')}"
    if _is_required(new) and not _is_required(old):
        return "major", "newly required"
    if _is_required(old) and not _is_required(new):
        return "minor", "no longer required"
    if old.get("default") != new.get("default"):
        return "minor", "default changed"
    return "patch", "description changed"


def _settings(before: Document, after: Document) -> Iterator[Change]:
    keys = [*before, *(key for key in after if key not in before)]
    for key in keys:
        old, new = before.get(key), after.get(key)
        if key in _STRUCTURE or old == new or (key == "type" and _type(before) == _type(after)):
            continue
        bump: Bump = "major" if key == "type" else "patch" if key in _WORDING else "minor"
        yield from _leaves(key, old, new, bump)


def _type(document: Document) -> str:
    return str(document.get("type", "chat"))


def _leaves(path: str, old: Any, new: Any, bump: Bump) -> Iterator[Change]:
    if isinstance(old, dict) and isinstance(new, dict):
        for key in [*old, *(key for key in new if key not in old)]:
            if old.get(key) != new.get(key):
                yield from _leaves(f"{path}.{key}", old.get(key), new.get(key), bump)
        return
    kind: Kind = "added" if old is None else "removed" if new is None else "changed"
    yield Change("settings", kind, path, bump, old, new)
