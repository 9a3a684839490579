# SPDX-License-Identifier: Apache-2.0
"""LangSmith's manifests: LangChain's serialized prompts, as `langsmith` pulls them."""

from __future__ import annotations

from typing import Any

from gitprompt.transfer.foreign.manifests import document_of
from gitprompt.transfer.foreign.prompt_files import Notes, NotSuch, PromptFile, json_of
from gitprompt.transfer.foreign.records import Losses, Unreadable


class Manifest:
    name = "langsmith"

    def is_one(self, path: str, text: str) -> bool:
        return path.lower().endswith(".json") and _manifest(json_of(text)) is not None

    def read(self, path: str, text: str, notes: Notes) -> PromptFile:
        losses = Losses()
        try:
            document = document_of(_manifest(json_of(text)), losses, path)
        except Unreadable as error:
            raise NotSuch(str(error)) from None
        for loss in losses:
            notes.lost(1, f"{loss.reason} ({loss.number})" if loss.number > 1 else loss.reason)
        return PromptFile([("", document)])


def _manifest(value: Any) -> Any:
    """The serialized object, which a commit has below `manifest`; None if it is none."""
    if isinstance(value, dict) and isinstance(value.get("manifest"), dict):
        value = value["manifest"]
    is_one = isinstance(value, dict) and "lc" in value and isinstance(value.get("kwargs"), dict)
    return value if is_one else None
