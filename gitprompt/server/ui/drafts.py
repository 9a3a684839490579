# SPDX-License-Identifier: Apache-2.0
"""A document that somebody is writing: what is wrong with it, by the checks that a publish makes, and which
version it would be."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from gitprompt import checks
from gitprompt.core.diff import compare, deserved_bump
from gitprompt.core.document import prompt_paths
from gitprompt.core.model import Finding
from gitprompt.core.names import is_name
from gitprompt.core.versions import FIRST, Bump, bumped
from gitprompt.errors import GitpromptError
from gitprompt.formats import fragments
from gitprompt.registry.sync import Source
from gitprompt.registry.versions import fragments_at, source_of
from gitprompt.server.context import Context

MAX_TEXT = 200_000  # characters that are checked as one types


class ExaminedDraft(NamedTuple):
    """`document` None: it cannot be read, or breaks a rule. `next` is the version that it deserves, None if it
    says what the newest does."""

    document: Mapping[str, Any] | None
    findings: Sequence[Finding]
    newest: str | None
    bump: Bump | None
    next: str | None

    @property
    def has_errors(self) -> bool:
        return any(finding.severity == "error" for finding in self.findings)


async def examined(context: Context, workspace: str, name: str, text: str) -> ExaminedDraft:
    """A text that is meant as the next version of a prompt."""
    latest = context.index.latest(workspace, name) if is_name(name) else None
    if len(text) > MAX_TEXT:
        finding = Finding("size", "error", f"It is longer than {MAX_TEXT:,} characters",
                          "Publish it with Git: gitprompt publish NAME --push")  # fmt: skip
        return ExaminedDraft(None, [finding], latest, None, None)
    document, findings = await asyncio.to_thread(_examined, context, workspace, name, text)
    if document is None or checks.errors(findings):
        return ExaminedDraft(None, findings, latest, None, None)
    if latest is None:
        return ExaminedDraft(document, findings, None, None, FIRST)
    newest = context.catalog.document(context.catalog.find(workspace, name, version=latest))
    bump = deserved_bump(compare(newest, document))
    return ExaminedDraft(document, findings, latest, bump, bumped(latest, bump) if bump else None)


def _examined(context: Context, workspace: str, name: str, text: str) -> tuple[Any, list[Finding]]:
    """Like a publish. Blocks."""
    path = prompt_paths(name or "prompt")[2 if text.lstrip()[:1] == "{" else 0]
    data = text.encode("utf-8", "replace")
    severities = context.index.settings(workspace).checks

    def judged(source: fragments.Source | None) -> tuple[Any, list[Finding]]:
        return checks.examine(
            data, path=path, kind="prompt", name=name, severities=severities, source=source
        )

    source = context.workspaces.source(workspace)
    if source is None or not fragments.are_in_file(data, path):
        return judged(lambda _name: None)
    tip = _tip(source)
    if tip is None:
        return judged(lambda _name: None)
    with source.repository.reader() as reader:
        return judged(source_of(fragments_at(reader, tip)))


def _tip(source: Source) -> str | None:
    """The commit of the default branch."""
    try:
        return source.repository.git("rev-parse", "--verify", "HEAD^{commit}").decode().strip()
    except GitpromptError:
        return None
