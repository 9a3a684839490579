# SPDX-License-Identifier: Apache-2.0
"""Tells the driver what is served, for readers without Git: after each change, and all of it after a start, in case a
node died before it did so, or somebody deleted a file."""

from __future__ import annotations

import asyncio
from functools import partial
from time import monotonic

from gitprompt import log
from gitprompt.drivers.shelf import Served
from gitprompt.server.context import Context
from gitprompt.store.index.reader import IndexReader

_SECONDS = 0.5
_AGAIN = 30.0  # seconds after a failure


async def keep_shelves(context: Context) -> None:
    """For ever; what goes wrong is reported and tried again."""
    shown: dict[str, tuple[int, int]] = {}
    again_at: dict[str, float] = {}
    try:
        while True:
            await asyncio.sleep(_SECONDS)
            for workspace in context.workspaces.names:
                state = context.workspaces.state(workspace)
                at = (state.revision, state.position)
                if shown.get(workspace) == at or monotonic() < again_at.get(workspace, 0.0):
                    continue
                try:
                    if await asyncio.to_thread(_show, context, workspace, state.position):
                        shown[workspace] = at
                except Exception as error:  # it must outlive whatever a store or a disk brings
                    again_at[workspace] = monotonic() + _AGAIN
                    log.warning(
                        "readers without Git see an older state",
                        workspace=workspace,
                        error=str(error),
                    )
    finally:
        context.driver.stop_showing()


def _show(context: Context, workspace: str, position: int) -> bool:
    """Whether all is shown now. Blocks. What the index has is of this position, or later."""
    return context.driver.show(workspace, position, partial(_served, context.index.path, workspace))


def _served(path: str, workspace: str) -> Served:
    index = IndexReader(path)

    def document(name: str, version: str) -> bytes | None:
        stored = index.version(workspace, name, version)
        return stored.document if stored is not None else None

    return Served(index.all_versions(workspace), index.all_labels(workspace), document, index.close)
