# SPDX-License-Identifier: Apache-2.0
"""What drivers share whose origin is elsewhere: when it is asked again, and how that went the last time."""

from __future__ import annotations

import time
from collections.abc import Mapping

from gitprompt.drivers.shelf import Unshown
from gitprompt.errors import OriginUnreachable
from gitprompt.git.repository import Repository


class Following(Unshown):
    """`seconds` lie between two looks at an origin of which nobody says that it has news."""

    is_mirror = True

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._next: dict[str, float] = {}
        self._problems: dict[str, OriginUnreachable] = {}

    def expect(self, workspace: str) -> None:
        self._next.pop(workspace, None)

    def fetch(self, workspace: str, repository: Repository) -> Mapping[str, str | None] | None:
        """Raises OriginUnreachable; until the next time is due nobody is asked again."""
        if time.monotonic() < self._next.get(workspace, 0.0):
            return None
        self._next[workspace] = time.monotonic() + self._seconds
        try:
            disputed = self._bring(workspace, repository)
        except OriginUnreachable as error:
            self._problems[workspace] = error
            raise
        self._problems.pop(workspace, None)
        return disputed

    def _bring(self, workspace: str, repository: Repository) -> Mapping[str, str | None] | None:
        """What `Driver.fetch` does, now."""
        raise NotImplementedError

    def check(self, workspace: str, repository: Repository) -> None:
        """How the last fetch went: a look at the health starts no process, and asks nobody."""
        if workspace in self._problems:
            raise self._problems[workspace]
