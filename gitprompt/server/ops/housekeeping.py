# SPDX-License-Identifier: Apache-2.0
"""What the server does now and then: remember when keys were used, settle what a dead node has begun, and
forget old telemetry; at first, give a shared database the documents that it lacks."""

from __future__ import annotations

import asyncio
import time

from gitprompt import log
from gitprompt.errors import GitpromptError
from gitprompt.ledger import settle_pending
from gitprompt.registry.sync.pinned import keep_documents
from gitprompt.server.context import Context
from gitprompt.store.tables.retention import OldRows

_SECONDS = 60.0
_DAY = 86_400
_ROWS = 500  # to one transaction: about a millisecond
_PAUSE = 0.05  # seconds between two of them


async def keep_house(context: Context) -> None:
    """For ever; whatever goes wrong is reported and tried again."""
    lacks_documents = context.database.is_shared
    while True:
        await asyncio.sleep(_SECONDS)
        try:
            if lacks_documents:
                await asyncio.to_thread(_keep_documents, context)
                lacks_documents = False
            await asyncio.to_thread(context.authenticator.write_down_use)
            await asyncio.to_thread(settle_pending, context.database, context.workspaces.source)
            if context.settings.keep_days:
                await forget_old(context)
        except GitpromptError as error:
            log.warning("housekeeping failed", error=error.message)


def _keep_documents(context: Context) -> None:
    for workspace in context.workspaces.names:
        source = context.workspaces.source(workspace)
        number = keep_documents(context.database, source) if source is not None else 0
        if number:
            log.info("kept the documents of pins", workspace=workspace, documents=number)


async def forget_old(context: Context) -> int:
    """Delete what is older than the setting says; returns how many rows that were."""
    before = context.clock() - context.settings.keep_days * _DAY
    begin, total = time.monotonic(), 0
    while True:
        number = await context.database.write(OldRows(before, _ROWS))
        total += number
        if not number:
            break
        await asyncio.sleep(_PAUSE)
    if total:
        log.info("forgot old telemetry", rows=total, seconds=round(time.monotonic() - begin, 2))
    return total
