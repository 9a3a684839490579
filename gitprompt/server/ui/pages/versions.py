# SPDX-License-Identifier: Apache-2.0
"""One version, and two beside each other."""

from __future__ import annotations

import asyncio
from typing import NamedTuple

from gitprompt import statistics
from gitprompt.core.publication import Version
from gitprompt.core.variables import effective
from gitprompt.errors import GitpromptError
from gitprompt.server.context import Context
from gitprompt.server.ui.choices import (
    WINDOW_NAMES,
    VersionChoice,
    command,
    curl,
    labels_by_version,
    version_choices,
    window_of,
)
from gitprompt.server.ui.comparison import compared
from gitprompt.server.ui.looks.differences import shown_message
from gitprompt.server.ui.page import Answer, Page, Shown, View, W, chosen
from gitprompt.store.tables.pins import OnePin

_SHOWN_APART = ("name", "version", "messages", "variables", "description", "tags", "deprecated")


class InGit(NamedTuple):
    """What Git has of a version: the message of its tag, that of its commit, and the file as it is; None for
    what it has lost."""

    tag: str | None
    commit: str | None
    file: str | None


async def version(context: Context, view: View) -> Answer:
    workspace, name = view.workspace, view.path["name"]
    stored = context.catalog.find(workspace, name, version=view.path["version"])
    number = stored.version.version
    document = context.catalog.document(stored)
    window = window_of(view)
    by_version, pin, in_git = await asyncio.gather(
        statistics.of_versions(context.database, workspace, name, [number], since=window.since),
        context.database.read(OnePin(workspace, name, number)),
        asyncio.to_thread(_in_git, context, workspace, stored.version),
    )
    choices = version_choices(context, workspace, name)
    numbers = [choice.version for choice in choices]
    at = numbers.index(number) if number in numbers else len(numbers)
    rest = {key: value for key, value in document.items() if key not in _SHOWN_APART}
    return {
        "name": name,
        "version": stored.version,
        "document": document,
        "labels": labels_by_version(context.catalog.current_labels(workspace, name)).get(
            number, []
        ),
        "before": numbers[at + 1] if at + 1 < len(numbers) else None,
        "after": numbers[at - 1] if 0 < at < len(numbers) else None,
        "messages": [shown_message(message) for message in document["messages"]],
        "variables": effective(document),
        "rest": rest,
        "statistics": by_version.get(number),
        "window": window,
        "windows": WINDOW_NAMES,
        "pin": pin,
        "in_git": in_git,
        "commands": [
            (
                "For a program:",
                curl(view, view.links.api("prompts", name, version=number, render="false")),
            ),
            ("In a clone:", command("show", f"{name}@{number}")),
            ("Its tag, by Git alone:", f"git show prompts/{name}/{number}"),
        ],
    }


def _in_git(context: Context, workspace: str, version: Version) -> InGit:
    """Read by git itself: the index has no messages. Blocks."""
    source = context.workspaces.source(workspace)
    if source is None:
        return InGit(None, None, None)
    oids = [oid for oid in (version.tag, version.commit, version.blob) if oid]
    try:
        texts = source.repository.texts(oids)
    except GitpromptError:
        return InGit(None, None, None)
    file = texts.get(version.blob)
    is_annotated = version.tag != version.commit
    return InGit(
        _message(texts.get(version.tag)) if is_annotated else None,
        _message(texts.get(version.commit or "")),
        file.decode("utf-8", "replace") if file is not None else None,
    )


def _message(data: bytes | None) -> str | None:
    """What a tag or a commit says, without its signature."""
    if data is None:
        return None
    text = data.partition(b"\n\n")[2].decode("utf-8", "replace")
    return text.partition("-----BEGIN ")[0].strip()


async def compare(context: Context, view: View) -> Answer:
    workspace, name, params = view.workspace, view.path["name"], view.params
    choices = version_choices(context, workspace, name)
    after = params.get("to") or (choices[0].version if choices else "")
    before = params.get("from") or _one_before(choices, after)
    if not after or not before:
        context.catalog.find(workspace, name)
        return Shown({"name": name, "choices": choices, "only": None}, template="alone.html")
    only_changes = params.get("all") != "1"
    step = await compared(context, view, name, before, after, only_changes=only_changes)
    old, new = step.old, step.new
    messages = await asyncio.gather(
        *(asyncio.to_thread(_in_git, context, workspace, side) for side in (old, new))
    )
    labels = labels_by_version(context.catalog.current_labels(workspace, name))
    return {
        "name": name,
        "choices": choices,
        "step": step,
        "sides": [
            (title, side, labels.get(side.version, []), in_git.tag)
            for title, side, in_git in zip(("From", "To"), (old, new), messages, strict=True)
        ],
        "only_changes": only_changes,
        "layout": chosen(params, "view", ("split", "unified")),
        "whitespace": params.get("white") == "1",
        "window": window_of(view),
        "windows": WINDOW_NAMES,
        "commands": [
            (
                "For a program:",
                curl(view, view.links.api("prompts", name, "diff", from_=before, to=after)),
            ),
            ("In a clone:", command("diff", f"{name}@{old.version}", f"{name}@{new.version}")),
        ],
    }


def _one_before(choices: list[VersionChoice], version: str) -> str:
    numbers = [choice.version for choice in choices]
    at = numbers.index(version) + 1 if version in numbers else 1
    return numbers[at] if at < len(numbers) else ""


PAGES = (
    Page(
        path=f"{W}/prompts/{{name:prompt}}/versions/{{version}}", handler=version,
        template="version.html", area="prompts",
    ),
    Page(
        path=f"{W}/prompts/{{name:prompt}}/diff", handler=compare, template="compare.html",
        area="prompts",
    ),
)  # fmt: skip
