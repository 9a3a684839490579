# SPDX-License-Identifier: Apache-2.0
"""gitprompt diff: what changed between two versions, and the bump that it deserves."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import click

from gitprompt.cli import completion
from gitprompt.cli.output import Styled, json_option, say, write_json
from gitprompt.cli.read import reading
from gitprompt.cli.remote import place_options
from gitprompt.core.diff import Change, compare, deserved_bump, hunks, segments
from gitprompt.core.messages import is_placeholder, role_of

_SIGNS = {"added": ("+", "green"), "removed": ("-", "red"), "changed": ("~", "yellow")}


@click.command()
@click.argument("before", shell_complete=completion.documents)
@click.argument("after", shell_complete=completion.documents)
@json_option
@place_options
def diff(before: str, after: str, as_json: bool) -> None:
    """Compare two documents by message, variable and setting.

    \b
    Examples:
      gitprompt diff welcome@production welcome@.
      gitprompt diff welcome@1.0.0 welcome@1.1.0
    """
    clone = reading()
    old, new = clone.resolve(clone.select(before)), clone.resolve(clone.select(after))
    changes = compare(old.document, new.document)
    bump = deserved_bump(changes)
    if as_json:
        write_json({"bump": bump, "changes": [change._asdict() for change in changes]})
        return
    if not changes:
        say("No differences.")
        return
    for change in changes:
        _write(change)
    say()
    say("This deserves a ", Styled(str(bump), bold=True), " version.")


def _write(change: Change) -> None:
    sign, color = _SIGNS[change.kind]
    reason = f"  ({change.reason}; {change.bump})" if change.reason else f"  ({change.bump})"
    say(Styled(f"{sign} {change.path}", fg=color, bold=True), reason)
    if change.area == "messages":
        _write_messages(change)
        return
    for value, mark, tint in ((change.before, "-", "red"), (change.after, "+", "green")):
        if value is not None:
            say(Styled(f"    {mark} {json.dumps(value, ensure_ascii=False)}", fg=tint))


def _write_messages(change: Change) -> None:
    before, after = change.before or {}, change.after or {}
    if change.kind != "changed":
        message = after or before
        mark, tint = ("+", "green") if after else ("-", "red")
        for line in f"[{role_of(message)}] {_content(message)}".rstrip().split("\n"):
            say(Styled(f"    {mark} {line}", fg=tint))
        return
    old, new = _content(before), _content(after)
    parts = hunks(old, new)
    for hunk in parts:
        if hunk.line > 1 or len(parts) > 1:
            say(Styled(f"    @@ line {hunk.line}", fg="cyan"))
        for was, now in hunk.parts:
            _write_part(was, now)
    for key in sorted({*before, *after} - {"content", "role"}):
        if before.get(key) != after.get(key):
            say(f"    {key}: {before.get(key)!r} → {after.get(key)!r}")


def _write_part(was: str, now: str) -> None:
    """Lines that differ, one side below the other, or lines that are around them."""
    if was == now:
        for line in was.split("\n"):
            say(f"      {line}".rstrip())
        return
    pieces = segments(was, now)
    _side("-", "red", [(op, text) for op, text in pieces if op != "insert"])
    _side("+", "green", [(op, text) for op, text in pieces if op != "delete"])


def _content(message: Mapping[str, Any]) -> str:
    """Text as it is; parts, and what a placeholder says, as JSON."""
    content = message if is_placeholder(message) else message.get("content")
    return (
        content if isinstance(content, str) else json.dumps(content, ensure_ascii=False, indent=1)
    )


def _side(mark: str, tint: str, pieces: list[tuple[Any, str]]) -> None:
    """One side of a message; the words that differ are in reverse on a terminal."""
    lines: list[list[Styled]] = [[]]
    for op, piece in pieces:
        first, *rest = piece.split("\n")
        lines[-1].append(Styled(first, fg=tint, reverse=op != "equal"))
        lines += [[Styled(text, fg=tint, reverse=op != "equal")] for text in rest]
    for line in lines:
        if any(piece.text for piece in line):
            say("    ", Styled(mark, fg=tint), " ", *line)
