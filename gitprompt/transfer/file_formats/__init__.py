# SPDX-License-Identifier: Apache-2.0
"""Formats in which prompts are kept in files: a module for each, and its line here, the more special ones first."""

from __future__ import annotations

from collections.abc import Sequence

from gitprompt.transfer.file_formats import (
    dotprompt,
    manifest,
    markdown,
    openai,
    plain_text,
    promptfoo,
    promptpack,
    prompty,
)
from gitprompt.transfer.foreign.prompt_files import FileFormat

FORMATS: Sequence[FileFormat] = (
    prompty.Prompty(),
    dotprompt.Dotprompt(),
    promptfoo.Promptfoo(),
    promptpack.PromptPack(),
    manifest.Manifest(),
    openai.OpenAI(),
    markdown.Markdown(),
    plain_text.PlainText(),
)
