# SPDX-License-Identifier: Apache-2.0
"""A file as its format reads it."""

from __future__ import annotations

from typing import Any

from gitprompt.transfer.file_formats import FORMATS
from gitprompt.transfer.foreign.prompt_files import Notes


def read(
    path: str, text: str
) -> tuple[str, list[tuple[str, dict[str, Any]]], list[tuple[int, str]]]:
    """The format that takes it, its prompts, and what is lost by line."""
    kind = next(one for one in FORMATS if one.is_one(path, text))
    notes = Notes(path)
    found = kind.read(path, text, notes)
    return (
        kind.name,
        found.prompts,
        [(note.line, note.message) for note in notes.notes if note.is_lost],
    )


def document(path: str, text: str) -> dict[str, Any]:
    """The only prompt of a file of which nothing is lost."""
    _, prompts, lost = read(path, text)
    assert lost == []
    ((_, found),) = prompts
    return found
