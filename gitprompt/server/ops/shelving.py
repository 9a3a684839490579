# SPDX-License-Identifier: Apache-2.0
"""Tells the driver what is served, for readers without Git: after each change, and now and then, in case a node
died before it did so, or somebody deleted a file."""

from __future__ import annotations

import asyncio
from functools import partial
from time import monotonic

from gitprompt import log
from gitprompt.drivers.shelf import Served
from gitprompt.errors import GitpromptError
from gitprompt.server.context import Context
from gitprompt.store.index.reader import IndexReader

_SECONDS = 0.5


async def keep_shelves(context: Context) -> None:
    """For ever; what goes wrong is reported and tried again."""
    shown: dict[str, tuple[int, int]] = {}
    failed_until = 0.0
    while True:
        await asyncio.sleep(_SECONDS)
        for workspace in context.workspaces.names:
            state = context.workspaces.state(workspace)
            at = (state.revision, state.position)
            if shown.get(workspace) == at or monotonic() < failed_until:
                continue
            try:
                await asyncio.to_thread(show, context, workspace, state.position)
                shown[workspace] = at
            except GitpromptError as error:
                failed_until = monotonic() + 60 * _SECONDS
                log.warning("readers without Git see an older state", error=error.message)


def show(context: Context, workspace: str, position: int) -> None:
    """Blocks. What the index has is of this position, or later."""
    index = IndexReader(context.index.path)
    try:
        number = context.driver.show(workspace, position, partial(_served, index, workspace))
    finally:
        index.close()
    if number:
        log.info("wrote files for readers without Git", workspace=workspace, files=number)


def _served(index: IndexReader, workspace: str) -> Served:
    def document(name: str, version: str) -> bytes | None:
        found = index.version(workspace, name, version)
        return found.document if found is not None else None

    return Served(index.all_versions(workspace), index.all_labels(workspace), document)
