# SPDX-License-Identifier: Apache-2.0
"""Writes Mustache so that every piece of text comes out as it went in."""

from __future__ import annotations

import re

from gitprompt.transfer.foreign.texts import literal

_LINE_BEFORE = re.compile(r"(?:\A|\n)[ \t]*\Z")
_LINE_AFTER = re.compile(r"[ \t]*(?:\r?\n|\Z)")
_COMMENT = "{{!}}"  # two tags on a line, and neither takes the line away


class MustacheWriter:
    """Pieces of text and tags, one after the other."""

    def __init__(self, *, takes_lines: bool = False) -> None:
        """`takes_lines`: there, too, the tag of a section that stands alone takes its line with it."""
        self._takes_lines = takes_lines
        self._pieces: list[tuple[bool, str]] = []  # (is a tag, text)

    def text(self, text: str) -> None:
        if not text:
            return
        if self._pieces and not self._pieces[-1][0]:
            text = self._pieces.pop()[1] + text
        self._pieces.append((False, text))

    def variable(self, path: str) -> None:
        self._pieces.append((True, f"{{{{{path}}}}}"))

    def opens(self, path: str, *, is_inverted: bool = False) -> None:
        self._pieces.append((True, f"{{{{{'^' if is_inverted else '#'}{path}}}}}"))

    def closes(self, path: str) -> None:
        self._pieces.append((True, f"{{{{/{path}}}}}"))

    def finish(self) -> str:
        parts = []
        for at, (is_tag, text) in enumerate(self._pieces):
            if not is_tag:
                is_before = at + 1 < len(self._pieces)
                parts.append(literal(text, before_tag=is_before))
            else:
                parts.append(text + _COMMENT * self._is_alone(at))
        return "".join(parts)

    def _is_alone(self, at: int) -> bool:
        """Whether a section's tag stands alone on its line, which Mustache would take away with it."""
        if self._takes_lines or self._pieces[at][1][2] not in "#^/":
            return False
        before = self._pieces[at - 1] if at else (False, "")
        after = self._pieces[at + 1] if at + 1 < len(self._pieces) else (False, "")
        if before[0] or after[0]:
            return False
        starts = _LINE_BEFORE.search(before[1]) is not None and (
            at == 1 or at == 0 or "\n" in before[1]
        )
        return starts and _LINE_AFTER.match(after[1]) is not None
