# SPDX-License-Identifier: Apache-2.0
"""Whether all is well: what failed first, then what was rejected, tampered with or has drifted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from gitprompt.core.telemetry.usage import HOUR
from gitprompt.errors import GitpromptError
from gitprompt.server.context import Context
from gitprompt.server.ui.choices import command, curl
from gitprompt.server.ui.page import Answer, Page, Redirect, Shown, View, W
from gitprompt.store.tables.traffic import Answering


class Drift(NamedTuple):
    """A version that answered in the last hour, and is not the one that any label of its prompt names."""

    name: str
    labels: Sequence[tuple[str, str]]
    version: str
    calls: int
    share: float


async def status(context: Context, view: View) -> Answer:
    return await _shown(context, view)


async def _shown(context: Context, view: View, problem: GitpromptError | None = None) -> Shown:
    workspace, index = view.workspace, context.index
    state = context.workspaces.state(workspace)
    answering = await context.database.read(Answering(workspace, view.now - HOUR))
    labels = index.labels_of(workspace, list(answering))
    values = {
        "state": state,
        "driver": context.driver.name,
        "counts": {
            "prompts": index.count_prompts(workspace),
            "versions": index.count_versions(workspace),
            "labels": index.count_labels(workspace),
            "suites": index.count_suites(workspace),
        },
        "rejected": index.rejected(workspace, limit=200),
        "tampered": index.tampered(workspace, limit=200),
        "drift": _drift(labels, answering),
        "is_shared": context.database.is_shared,
        "has_source": context.workspaces.source(workspace) is not None,
        "others": _others(context, view),
        "synced": view.params.get("synced") == "1",
        "problem": problem,
        "commands": [
            ("For a program:", curl(view, view.links.api("sync"))),
            ("Where the server runs:", command("sync")),
        ],
    }
    return Shown(values, 200 if problem is None else problem.status)


def _drift(
    labels: Mapping[str, Mapping[str, str]], answering: Mapping[str, Mapping[str, int]]
) -> list[Drift]:
    found = []
    for name, calls in answering.items():
        total, named = sum(calls.values()), labels.get(name, {})
        for version, number in calls.items():
            if named and version not in named.values():
                pairs = sorted(named.items())
                found.append(Drift(name, pairs, version, number, number / total))
    return sorted(found, key=lambda drift: -drift.calls)[:50]


def _others(context: Context, view: View) -> list[tuple[str, Any]]:
    """What failed in other workspaces, for whoever may see all."""
    if not view.visitor.principal.is_master:
        return []
    names = (name for name in context.workspaces.names if name != view.workspace)
    states = ((name, context.workspaces.state(name)) for name in names)
    return [(name, state) for name, state in states if state.last_error]


async def sync(context: Context, view: View) -> Answer:
    workspace = view.workspace
    try:
        await context.database.write(view.actor.did("sync", view.now))
        context.driver.expect(workspace)
        await context.workspaces.reconcile(workspace)
    except GitpromptError as error:
        return await _shown(context, view, error)
    return Redirect(view.links.to("status", synced=1))


PAGES = (
    Page(path=f"{W}/status", handler=status, template="status.html", area="status"),
    Page(
        path=f"{W}/status", handler=sync, template="status.html", area="status", method="POST",
        scope="write", changes="labels",
    ),
)  # fmt: skip
