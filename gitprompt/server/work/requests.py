# SPDX-License-Identifier: Apache-2.0
"""What requests ask of worker processes: large documents are checked there, and what takes more than a
moment to render is rendered there. The second half of this module runs in the process."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec

from gitprompt import errors
from gitprompt.core.template import Budget
from gitprompt.core.variables import render
from gitprompt.errors import GitpromptError
from gitprompt.registry import admission
from gitprompt.registry.versions import Severities
from gitprompt.server.work.pool import Pool

_AT_ONCE = 2  # processes
_WAITING = 8  # threads that wait for one of them
_SECONDS = 10.0  # of one question


class Requests:
    """One at a time of a workspace, so that it waits for itself."""

    def __init__(self, *, memory: int) -> None:
        self._pool = Pool(memory=memory, at_once=_AT_ONCE)
        self._threads = ThreadPoolExecutor(_WAITING, thread_name_prefix="request-work")

    async def check(
        self,
        workspace: str,
        documents: Sequence[Any],
        severities: Severities,
        *,
        has_fragments: bool,
    ) -> dict[int, GitpromptError]:
        """What `admission.check_all` finds."""
        asked = {
            "documents": documents, "severities": severities, "has_fragments": has_fragments,
        }  # fmt: skip
        answer = await self._ask(workspace, "check", asked, what="checking what was sent")
        return {at: _error(fields) for at, fields in answer}

    async def render(
        self,
        workspace: str,
        document: Mapping[str, Any],
        given: Mapping[str, Any],
        placeholders: Mapping[str, Any] | None,
        *,
        max_bytes: int,
    ) -> list[dict[str, Any]]:
        """The messages of a document with `given` filled in; raises what `variables.render` does."""
        asked = document, given, placeholders, max_bytes
        answer = await self._ask(workspace, "render", asked, what="rendering this prompt")
        if "error" in answer:
            raise _error(answer["error"])
        messages: list[dict[str, Any]] = answer["messages"]
        return messages

    async def _ask(self, workspace: str, task: str, asked: Any, *, what: str) -> Any:
        def ask() -> Any:
            with self._pool.taken(workspace) as process:
                return process.ask(task, msgspec.json.encode(asked), _SECONDS, what=what)

        line = await asyncio.get_running_loop().run_in_executor(self._threads, ask)
        return msgspec.json.decode(line)

    def close(self) -> None:
        self._pool.close()
        self._threads.shutdown()


def _error(fields: Sequence[Any]) -> GitpromptError:
    name, message, hint, reasons = fields
    if name == "Invalid":
        return errors.Invalid(message, fields=reasons, hint=hint)
    kind = {"BadRequest": errors.BadRequest, "NotFound": errors.NotFound}[name]
    return kind(message, hint=hint)


# In the process


def answer_check(asked: bytes) -> bytes:
    refused = admission.check_all(**msgspec.json.decode(asked))
    return msgspec.json.encode([(at, _fields(error)) for at, error in refused.items()])


def answer_render(asked: bytes) -> bytes:
    document, given, placeholders, max_bytes = msgspec.json.decode(asked)
    try:
        messages = render(document, given, placeholders, budget=Budget(max_bytes))
    except GitpromptError as error:
        return msgspec.json.encode({"error": _fields(error)})
    return msgspec.json.encode({"messages": messages})


def _fields(error: GitpromptError) -> tuple[str, str, str, list[str]]:
    return type(error).__name__, error.message, error.hint, getattr(error, "fields", [])
