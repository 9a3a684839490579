# SPDX-License-Identifier: Apache-2.0
"""The index is derived: where its file is damaged, or gone, it is built anew while the server serves."""

from __future__ import annotations

import asyncio

from gitprompt import log
from gitprompt.registry.sync import Sync
from gitprompt.store.index.reader import IndexReader
from gitprompt.workspaces import Workspaces

_EVERY = 1.0  # seconds between two looks at whether the file is there


class Mender:
    """Looks at the index when somebody has met with damage, and builds it anew if there is some."""

    def __init__(self, sync: Sync, reader: IndexReader, workspaces: Workspaces) -> None:
        self._sync = sync
        self._reader = reader
        self._workspaces = workspaces
        self._looking: asyncio.Task[None] | None = None

    def look(self) -> None:
        """Returns at once; one look is taken at a time."""
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._mend())

    async def watch(self) -> None:
        """Notice that the file was deleted under us, for ever."""
        while True:
            await asyncio.sleep(_EVERY)
            if self._sync.index_is_gone:
                self.look()

    async def _mend(self) -> None:
        problem = await asyncio.to_thread(self._sync.renew_if_damaged)
        if not problem:
            return
        log.error("the index is damaged, and is built anew", problem=problem)
        # What the old file still tells is served meanwhile: the new one knows of nothing yet.
        await self._workspaces.poke()
        self._reader.renew()
        self._workspaces.generation += 1
        log.info("the index is whole again")
