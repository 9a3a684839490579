# SPDX-License-Identifier: Apache-2.0
"""Nodes with one database: what another has published is fetched at once, and a call of which two have told is
counted once."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from math import inf
from time import monotonic

from gitprompt import log
from gitprompt.errors import GitpromptError
from gitprompt.server.context import Context
from gitprompt.store.tables.logs import Recount
from gitprompt.store.tables.moves import Moves

_SECONDS = 0.3
_RECOUNTED = 2.0  # seconds between two looks at what was logged
_LONGEST = 60.0  # seconds that a transaction may take


async def follow(context: Context) -> None:
    """For ever, if other nodes share the database; while that does not answer, the poll goes on."""
    if not context.database.is_shared:
        return
    seen: dict[str, int] | None = None
    recounts = Recounts()
    while True:
        with suppress(GitpromptError):
            await recounts.look(context)
            moves = await context.database.read(Moves())
            for workspace, number in moves.items():
                if seen is not None and seen.get(workspace) != number:
                    context.driver.expect(workspace)
                    await _fetch(context, workspace)
            seen = moves
        await asyncio.sleep(_SECONDS)


class Recounts:
    """A call that one node logs while another stores its span is counted by both, until somebody looks."""

    def __init__(self) -> None:
        self._at = -inf
        self._newest: deque[tuple[float, Mapping[str, int]]] = deque()

    async def look(self, context: Context) -> None:
        """Now and then: at the logs of the last while, since a transaction may have taken that long. By this
        transaction a node that stores nothing is seen, too."""
        now = monotonic()
        if now - self._at < _RECOUNTED:
            return
        self._at = now
        while len(self._newest) > 1 and self._newest[1][0] < now - _LONGEST:
            self._newest.popleft()
        after = self._newest[0][1] if self._newest else {}
        self._newest.append((now, await context.database.write(Recount(after))))


async def _fetch(context: Context, workspace: str) -> None:
    try:
        await context.workspaces.reconcile(workspace)
    except GitpromptError as error:
        log.warning(
            "what another node moved is not here yet", workspace=workspace, error=error.message
        )
