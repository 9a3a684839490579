# SPDX-License-Identifier: Apache-2.0
"""Suites as clients see them: the file in Git says what a suite is, the durable database its number.

A suite that came with a plain push is numbered when it is first seen, and keeps its number.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from gitprompt import checks
from gitprompt.clock import Clock
from gitprompt.core.document import SUITES
from gitprompt.core.model import Severity
from gitprompt.core.names import check_suite_name
from gitprompt.errors import BadRequest, Invalid, NotFound
from gitprompt.store.database import Database
from gitprompt.store.index.reader import IndexReader
from gitprompt.store.tables.suites import NumberedSuites, SuiteNames, SuiteRemoval


class NumberedDocument(NamedTuple):
    """A suite: its number, when that was given (Unix seconds), and its file."""

    id: int
    name: str
    created_at: int
    document: Mapping[str, Any]

    @property
    def min_score(self) -> float | None:
        """The score that passes, from the file's criteria; None if they do not say."""
        score = (self.document.get("criteria") or {}).get("min_score")
        return score if type(score) in (int, float) else None


class Suites:
    """The suites of all workspaces."""

    def __init__(self, index: IndexReader, database: Database, clock: Clock) -> None:
        self._index = index
        self._database = database
        self._clock = clock

    async def all(self, workspace: str) -> list[NumberedDocument]:
        """Newest first."""
        numbers = await self._database.read(NumberedSuites(workspace))
        documents = self._index.suites(workspace)  # as they are at the moment of numbering
        missing = sorted(documents.keys() - numbers.keys())
        if missing:
            now = self._clock()
            await self._database.write(SuiteNames(workspace, missing, now))
            numbers = await self._database.read(NumberedSuites(workspace))
        numbered = [
            NumberedDocument(numbers[name].id, name, numbers[name].created_at, document)
            for name, document in documents.items()
            if name in numbers  # one that was deleted meanwhile is not
        ]
        return sorted(numbered, key=lambda suite: suite.id, reverse=True)

    async def find(self, workspace: str, text: str) -> NumberedDocument:
        """The suite with a number or a name. Raises BadRequest for neither, and NotFound."""
        if not text.isascii() or not text.isdigit():
            try:
                check_suite_name(text)
            except Invalid as error:
                raise BadRequest(f"Invalid evaluation id: {error.message}") from None
        for suite in await self.all(workspace):
            if text in (suite.name, str(suite.id)):
                return suite
        raise NotFound("Evaluation not found")


async def forget(database: Database, workspace: str, name: str) -> None:
    """Drop the number of a suite, and its results; what has none is forgotten already."""
    numbers = await database.read(NumberedSuites(workspace))
    if name in numbers:
        await database.write(SuiteRemoval(workspace, numbers[name].id))


def forget_now(database: Database, workspace: str, name: str) -> None:
    """Like `forget`, for a thread; blocks."""
    numbers = database.read_now(NumberedSuites(workspace))
    if name in numbers:
        database.write_now(SuiteRemoval(workspace, numbers[name].id))


def check_suite(name: str, file: bytes, severities: Mapping[str, Severity]) -> None:
    """Raises Invalid with all that is wrong with the file of a suite."""
    _, findings = checks.examine(
        file, path=f"{SUITES}/{name}.yaml", kind="suite", name=name, severities=severities
    )
    problems = checks.errors(findings)
    if problems:
        raise Invalid("Validation failed", fields=[problem.message for problem in problems])
