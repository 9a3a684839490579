# SPDX-License-Identifier: Apache-2.0
"""Handlebars, as dotprompt has it, in Mustache: variables, `#if`, `#unless`, `#each`; roles, history and media are for
the caller. What Mustache cannot say is told by its line."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from gitprompt.transfer.foreign.jinja import Odd, Uses
from gitprompt.transfer.foreign.mustache import MustacheWriter
from gitprompt.transfer.foreign.texts import literal

_TAG = re.compile(
    r"\\?\{\{(?P<open>~?)(?P<comment>!--.*?--|[^{].*?|\{.*?\})(?P<close>~?)\}\}", re.DOTALL
)
_PATH = re.compile(r"(?:this\.|\./)?([^\W\d@][\w-]*(?:[./][^\W\d][\w-]*)*)\Z")


class HandlebarsTag(NamedTuple):
    """A piece of a text: `inner` None: it is text. `line` from 1."""

    text: str
    inner: str | None
    line: int


def tags(source: str) -> Iterator[HandlebarsTag]:
    """The text between tags, and the tags; `~` has taken the blanks beside it, comments are gone."""
    at, trim = 0, False
    for match in _TAG.finditer(source):
        line = source.count("\n", 0, match.start()) + 1
        text = source[at : match.start()]
        at = match.end()
        if match[0].startswith("\\"):
            yield HandlebarsTag(text + match[0][1:], None, line)
            continue
        text = text.lstrip() if trim else text
        text = text.rstrip() if match["open"] else text
        trim = bool(match["close"])
        if text:
            yield HandlebarsTag(text, None, line)
        if not match["comment"].startswith("!"):
            yield HandlebarsTag(match[0], match["comment"].strip("{}").strip(), line)
    rest = source[at:].lstrip() if trim else source[at:]
    if rest:
        yield HandlebarsTag(rest, None, source.count("\n") + 1)


def to_mustache(pieces: list[HandlebarsTag], odd: Odd, uses: Uses | None = None) -> str:
    """The pieces in Mustache; where that cannot be, as text, and `odd` hears of every line."""
    out = MustacheWriter(takes_lines=True)
    uses = uses or Uses()
    stack: list[tuple[str, str, bool]] = []  # helper, path, whether its section is an inverted one
    failed = False

    def fail(line: int, why: str) -> None:
        nonlocal failed
        failed = True
        odd(line, why)

    for at, piece in enumerate(pieces):
        if piece.inner is None:
            out.text(piece.text)
            continue
        word, _, rest = piece.inner.partition(" ")
        if word in ("#if", "#unless", "#each"):
            path = _path(rest.strip())
            if path is None or path == "." or " as " in rest:
                fail(piece.line, f"{piece.text}: an expression, and Mustache has values alone")
                path = "x"
            (uses.lists if word == "#each" else uses.conditions).add(path)
            if path in uses.lists and path in uses.conditions:
                fail(piece.line, f"{path} is a condition and a list: Mustache would repeat")
            elif word != "#each" and uses.types.get(path) in ("array", "object"):
                fail(
                    piece.line,
                    f"{path} is a condition and {uses.types[path]}: Mustache would go into it",
                )
            inverted = word == "#unless"
            stack.append((word[1:], path, inverted))
            out.opens(path, is_inverted=inverted)
        elif word == "else" and not rest and stack:
            helper, path, inverted = stack.pop()
            out.closes(path)
            if _is_alone(pieces, at):
                out.text("\n")
            stack.append((helper, path, not inverted))
            out.opens(path, is_inverted=not inverted)
        elif word.startswith("/"):
            if not stack or stack[-1][0] != word[1:]:
                fail(piece.line, f"{piece.text} closes nothing")
                continue
            out.closes(stack.pop()[1])
        else:
            path = _path(piece.inner.removeprefix("&").strip())
            if path is None:
                fail(piece.line, f"{piece.text}: a helper, a partial or a special variable")
                continue
            if path == "." and stack and stack[-1][0] != "each":
                fail(piece.line, f"{piece.text} inside a condition: Mustache is elsewhere there")
            out.variable(path)
    for helper, *_ in stack:
        fail(1, f"#{helper} is never closed")
    whole = "".join(piece.text for piece in pieces)
    return literal(whole) if failed else out.finish()


def _is_alone(pieces: list[HandlebarsTag], at: int) -> bool:
    """Whether a tag stands alone on its line."""
    before = pieces[at - 1].text if at and pieces[at - 1].inner is None else ""
    after = pieces[at + 1].text if at + 1 < len(pieces) and pieces[at + 1].inner is None else ""
    starts, ends = before.rstrip(" \t"), after.lstrip(" \t")
    return starts.endswith("\n") and ends[:1] in ("\n", "\r")


def _path(text: str) -> str | None:
    """A path in Mustache's words; None for anything that is more."""
    if text in ("this", "."):
        return "."
    match = _PATH.match(text)
    return match[1].replace("/", ".") if match else None
