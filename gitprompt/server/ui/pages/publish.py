# SPDX-License-Identifier: Apache-2.0
"""A new version of a prompt, or a new prompt: written in a form, checked by the server as it is written."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import msgspec

from gitprompt.core.names import check_name
from gitprompt.core.versions import check_version
from gitprompt.errors import GitpromptError, Invalid
from gitprompt.server.context import Context
from gitprompt.server.ui.choices import command
from gitprompt.server.ui.drafts import ExaminedDraft, examined
from gitprompt.server.ui.looks import display
from gitprompt.server.ui.page import LARGE_FORM, Answer, Data, Page, Redirect, Shown, View, W
from gitprompt.store.index.reader import StoredVersion

_MAX_LINE = 500  # characters: no name and no version may have as many
_SKELETON = """\
description: What it is for
messages:
  - role: system
    content: You are a helpful assistant.
  - role: user
    content: Hello {{name}}!
variables:
  name:
    type: string
    required: true
"""


async def write(context: Context, view: View) -> Answer:
    name = view.params.get("prompt", "")
    if not name:
        return await _page(context, view, "", _SKELETON)
    stored = context.catalog.find(view.workspace, name, version=view.params.get("from") or _latest(context, view, name))  # fmt: skip
    return await _page(context, view, name, await _text(context, view, stored))


def _latest(context: Context, view: View, name: str) -> str | None:
    return context.index.latest(view.workspace, name)


async def _text(context: Context, view: View, stored: StoredVersion) -> str:
    """The file as it is in Git, with its comments; what that has lost is written anew."""
    source = context.workspaces.source(view.workspace)
    if source is not None:
        blob = stored.version.blob
        try:
            files = await asyncio.to_thread(source.repository.texts, [blob])
            return files[blob].decode()
        except (GitpromptError, KeyError, UnicodeDecodeError):
            pass
    return display.pretty(context.catalog.document(stored))


async def _page(
    context: Context,
    view: View,
    name: str,
    text: str,
    *,
    found: ExaminedDraft | None = None,
    version: str = "",
    problem: GitpromptError | None = None,
) -> Shown:
    found = found or await examined(context, view.workspace, name, text)
    values = {
        "name": name,
        "is_new": not context.catalog.exists(view.workspace, name),
        "text": text,
        "draft": found,
        "version": version or found.next or "",
        "problem": problem,
        "problems": problem.fields if isinstance(problem, Invalid) else [],
        "check": view.links.to("publish", "check"),
        "commands": [
            ("In a clone, after a change of the file:",
             command("publish", name or "NAME", "--bump", "auto", "--push")),
        ],
    }  # fmt: skip
    return Shown(values, 200 if problem is None else problem.status)


async def publish(context: Context, view: View) -> Answer:
    form = view.form
    name, text = _name_in(form), form.get("text", "")
    version = form.get("version", "").strip()[:_MAX_LINE]
    found = await examined(context, view.workspace, name, text)
    try:
        check_name(name)
        check_version(version)
        if found.document is None:
            raise Invalid("It breaks a rule: what is wrong is below")
        document = {**found.document, "name": name, "version": version}
        published = await context.publishing.publish(view.author, document)
    except GitpromptError as error:
        return await _page(context, view, name, text, found=found, version=version, problem=error)
    beside = None if published.on_branch else "1"
    return Redirect(
        view.links.to("prompts", name, "versions", published.version, new=1, beside=beside)
    )


def _name_in(form: Mapping[str, str]) -> str:
    """The name that was typed; more of it than any rule allows need not be shown again."""
    return form.get("name", "").strip()[:_MAX_LINE]


async def draft(context: Context, view: View) -> Answer:
    """The page with what is wrong, for a browser without scripts."""
    form = view.form
    return await _page(context, view, _name_in(form), form.get("text", ""))


async def check(context: Context, view: View) -> Answer:
    """What is wrong with a text, for the script of the page."""
    form = view.form
    draft = await examined(context, view.workspace, _name_in(form), form.get("text", ""))
    found: Mapping[str, Any] = {
        "findings": [
            {
                "severity": finding.severity,
                "code": finding.code,
                "place": f"{finding.line}:{finding.column}" if finding.line else "",
                "message": display.shown(finding.message),
                "hint": display.shown(finding.hint),
            }
            for finding in draft.findings
        ],
        "newest": draft.newest,
        "bump": draft.bump,
        "next": draft.next,
        "ok": draft.document is not None,
    }
    return Data(msgspec.json.encode(found))


PAGES = (
    Page(path=f"{W}/publish", handler=write, template="publish.html", area="prompts"),
    Page(
        path=f"{W}/publish", handler=publish, template="publish.html", area="prompts",
        method="POST", scope="write", changes="all", max_form=LARGE_FORM,
    ),
    Page(
        path=f"{W}/publish/draft", handler=draft, template="publish.html", area="prompts",
        method="POST", max_form=LARGE_FORM,
    ),
    Page(path=f"{W}/publish/check", handler=check, method="POST", max_form=LARGE_FORM),
)  # fmt: skip
