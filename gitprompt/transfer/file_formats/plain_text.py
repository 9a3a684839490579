# SPDX-License-Identifier: Apache-2.0
"""A file of text: one message of the user."""

from __future__ import annotations

from gitprompt.transfer.foreign.prompt_files import Notes, NotSuch, PromptFile, in_mustache


class PlainText:
    name = "text"

    def is_one(self, path: str, text: str) -> bool:
        return path.lower().endswith((".txt", ".text", ".mustache"))

    def read(self, path: str, text: str, notes: Notes) -> PromptFile:
        if not text.strip():
            raise NotSuch("it is empty")
        content = in_mustache(text.removesuffix("\n"), 1, notes)
        return PromptFile(
            [("", {"type": "text", "messages": [{"role": "user", "content": content}]})]
        )
