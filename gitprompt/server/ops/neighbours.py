# SPDX-License-Identifier: Apache-2.0
"""What another node has published is fetched at once: nodes with one database tell each other through it."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from gitprompt import log
from gitprompt.errors import GitpromptError
from gitprompt.server.context import Context
from gitprompt.store.tables.moves import Moves

_SECONDS = 0.3


async def follow(context: Context) -> None:
    """For ever, if other nodes share the database; while that does not answer, the poll goes on."""
    if not context.database.is_shared:
        return
    seen: dict[str, int] | None = None
    while True:
        with suppress(GitpromptError):
            moves = await context.database.read(Moves())
            for workspace, number in moves.items():
                if seen is not None and seen.get(workspace) != number:
                    context.driver.expect(workspace)
                    await _fetch(context, workspace)
            seen = moves
        await asyncio.sleep(_SECONDS)


async def _fetch(context: Context, workspace: str) -> None:
    try:
        await context.workspaces.reconcile(workspace)
    except GitpromptError as error:
        log.warning(
            "what another node moved is not here yet", workspace=workspace, error=error.message
        )
