# SPDX-License-Identifier: Apache-2.0
"""A document that somebody is writing: what is wrong with it, by the checks that a publish makes, and which
version it would be."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from gitprompt import checks, formats
from gitprompt.core.diff import compare, deserved_bump
from gitprompt.core.document import prompt_paths
from gitprompt.core.model import Finding
from gitprompt.core.names import is_name
from gitprompt.core.versions import FIRST, Bump, bumped
from gitprompt.errors import GitpromptError
from gitprompt.formats import fragments
from gitprompt.registry.sync import Source
from gitprompt.registry.versions import Severities, fragments_at, source_of
from gitprompt.server.context import Context

MAX_TEXT = 200_000  # characters that are checked as one types


class ExaminedDraft(NamedTuple):
    """`document` is as it was written, with its includes; None: it cannot be read, or breaks a rule. `next` is the version that it deserves, None if it
    says what the newest does."""

    document: Mapping[str, Any] | None
    findings: Sequence[Finding]
    newest: str | None
    bump: Bump | None
    next: str | None


async def examined(context: Context, workspace: str, name: str, text: str) -> ExaminedDraft:
    """A text that is meant as the next version of a prompt."""
    latest = context.index.latest(workspace, name) if is_name(name) else None
    if len(text) > MAX_TEXT:
        finding = Finding("size", "error", f"It is longer than {MAX_TEXT:,} characters",
                          "Publish it with Git: gitprompt publish NAME --push")  # fmt: skip
        return ExaminedDraft(None, [finding], latest, None, None)
    severities = context.index.settings(workspace).checks
    written, document, findings = await asyncio.to_thread(
        _examined, context.workspaces.source(workspace), severities, name, text
    )
    if document is None or checks.errors(findings):
        return ExaminedDraft(None, findings, latest, None, None)
    if latest is None:
        return ExaminedDraft(written, findings, None, None, FIRST)
    newest = context.catalog.document(context.catalog.find(workspace, name, version=latest))
    bump = deserved_bump(compare(newest, document))
    return ExaminedDraft(written, findings, latest, bump, bumped(latest, bump) if bump else None)


def _examined(
    source: Source | None, severities: Severities, name: str, text: str
) -> tuple[Any, Any, list[Finding]]:
    """The document as it is written, the same with what it includes, and the findings of a publish. Blocks."""
    path = prompt_paths(name or "prompt")[2 if text.lstrip()[:1] == "{" else 0]
    data = text.encode("utf-8", "replace")

    def judged(fragment: fragments.Source) -> tuple[Any, Any, list[Finding]]:
        document, findings = checks.examine(
            data, path=path, kind="prompt", name=name, severities=severities, source=fragment
        )
        return formats.read(data, path) if document is not None else None, document, findings

    tip = _tip(source) if source is not None and fragments.are_in_file(data, path) else None
    if source is None or tip is None:
        return judged(lambda _name: None)
    with source.repository.reader() as reader:
        return judged(source_of(fragments_at(reader, tip)))


def _tip(source: Source) -> str | None:
    """The commit of the default branch."""
    try:
        return source.repository.git("rev-parse", "--verify", "HEAD^{commit}").decode().strip()
    except GitpromptError:
        return None
