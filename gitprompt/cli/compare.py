# SPDX-License-Identifier: Apache-2.0
"""gitprompt diff: what changed between two versions, and the bump that it deserves."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import click

from gitprompt.cli import completion
from gitprompt.cli.output import Styled, json_option, say, write_json
from gitprompt.cli.read import reading
from gitprompt.cli.remote import place_options
from gitprompt.core.diff import Change, compare, deserved_bump, hunks, segments
from gitprompt.core.messages import is_placeholder, role_of
from gitprompt.core.versions import Bump, bumped
from gitprompt.errors import Invalid, UsageError
from gitprompt.registry.clone import Clone, Selector

_SIGNS = {"added": ("+", "green"), "removed": ("-", "red"), "changed": ("~", "yellow")}


@click.command()
@click.argument("before", required=False, shell_complete=completion.documents)
@click.argument("after", required=False, shell_complete=completion.documents)
@click.option(
    "--changed", is_flag=True,
    help="Every prompt that differs from its newest published version, and the version that it will be.",
)  # fmt: skip
@click.option("--markdown", is_flag=True, help="With --changed: Markdown, for a pull request.")
@json_option
@place_options
def diff(
    before: str | None, after: str | None, changed: bool, markdown: bool, as_json: bool
) -> None:
    """Compare two documents by message, variable and setting.

    \b
    Examples:
      gitprompt diff welcome@production welcome@.
      gitprompt diff welcome@1.0.0 welcome@1.1.0
      gitprompt diff --changed --markdown
    """
    clone = reading()
    if changed:
        if before is not None or not isinstance(clone, Clone):
            raise UsageError("--changed compares what is in a clone, and takes no documents")
        _write_changed(_changed(clone), markdown=markdown, as_json=as_json)
        return
    if before is None or after is None or markdown:
        raise UsageError(
            "two documents are compared, or --changed ones",
            hint="gitprompt diff welcome@production welcome@., or gitprompt diff --changed --markdown",
        )
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


class _Difference(NamedTuple):
    """A working copy and the version that it differs from, None: there is none yet. `error` says why it cannot be
    read."""

    name: str
    base: str | None
    changes: Sequence[Change]
    error: str = ""

    @property
    def bump(self) -> Bump | None:
        return deserved_bump(self.changes)

    @property
    def becomes(self) -> str | None:
        """The version that `gitprompt publish --bump auto` will make of it."""
        if self.error or self.base is None:
            return None if self.error else "1.0.0"
        return bumped(self.base, self.bump or "patch")


def _changed(clone: Clone) -> list[_Difference]:
    copies = clone.working_copies()
    bases = clone.bases(copies)
    found = []
    for name, path in sorted(copies.items()):
        published = bases.get(name)
        if published is not None and clone.is_untouched(path, published):
            continue
        base = published.version.version if published is not None else None
        try:
            copy = clone.resolve(Selector(name, "."))
        except Invalid as error:
            found.append(_Difference(name, base, (), error.message))
            continue
        if published is None:
            found.append(_Difference(name, None, ()))
        elif changes := compare(json.loads(published.document), copy.document):
            found.append(_Difference(name, base, changes))
    return found


def _write_changed(found: Sequence[_Difference], *, markdown: bool, as_json: bool) -> None:
    if as_json:
        write_json(
            [
                {
                    "name": one.name, "base": one.base, "bump": one.bump, "becomes": one.becomes,
                    "error": one.error or None, "changes": [change._asdict() for change in one.changes],
                }
                for one in found
            ]
        )  # fmt: skip
    elif not found:
        say("No prompt differs from its newest published version.")
    elif markdown:
        _write_markdown(found)
    else:
        for one in found:
            what = one.error or f"{one.base or 'new'} → {one.becomes}"
            say(Styled(f"{one.name}: {what}", bold=True))
            for change in one.changes if one.base else ():
                _write(change)


def _write_markdown(found: Sequence[_Difference]) -> None:
    """What anybody has written stands in fences, which are longer than any in it."""
    say("| prompt | published | deserves | becomes |")
    say("| --- | --- | --- | --- |")
    for one in found:
        deserves = "**not valid**" if one.error else one.bump or "" if one.base else "first version"
        say(f"| `{one.name}` | {one.base or ''} | {deserves} | {one.becomes or ''} |")
    for one in found:
        if not one.base or not one.changes:
            continue
        text = json.dumps([change._asdict() for change in one.changes], ensure_ascii=False)
        fence = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", text)), default=0))
        say()
        say(f"<details><summary><code>{one.name}</code>: {one.base} → {one.becomes}</summary>")
        say()
        say(f"{fence}diff")
        for change in one.changes:
            _write(change)
        say(fence)
        say("</details>")


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
