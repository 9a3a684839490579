# SPDX-License-Identifier: Apache-2.0
"""What somebody deletes in the data folder of a running server is noticed, before much is lost or two write."""

from __future__ import annotations

import asyncio
import os
import signal

from gitprompt import log
from gitprompt.hosting import Hold
from gitprompt.store.database import Database

_EVERY = 1.0  # seconds between two looks


class Guard:
    def __init__(self, hold: Hold, database: Database) -> None:
        self._hold = hold
        self._database = database
        self._is_told = False

    async def watch(self) -> None:
        """Look for ever."""
        while True:
            await asyncio.sleep(_EVERY)
            self.look()

    def look(self) -> None:
        """A database that is gone is written no more. A lock is taken again; where another server has
        taken it meanwhile, this one stops."""
        if not self._database.look() and not self._is_told:
            self._is_told = True
            log.error(
                "the database was deleted under the server, which stores nothing more",
                hint="Stop it, restore the data folder from a backup, and start it.",
            )
        if not self._hold.is_lost:
            return
        if self._hold.retake():
            log.warning("the file of the lock was deleted, and is made again")
        else:
            log.error("another server has taken the data folder: this one stops")
            os.kill(os.getpid(), signal.SIGTERM)
