# SPDX-License-Identifier: Apache-2.0
"""A person's clone that is served in place and follows its remote: what plain git can do for a forge.

It fetches when a webhook says so, and else once a minute. Branches of the clone and its work tree are
never touched; a version tag is never moved.
"""

from __future__ import annotations

import time
from collections.abc import Mapping

from gitprompt.drivers.filesystem import Filesystem
from gitprompt.errors import OriginUnreachable
from gitprompt.git import origin
from gitprompt.git.repository import Repository


class FollowingClone(Filesystem):
    """Writes over HTTP and pushes are for the clone itself, as with `Filesystem`."""

    name = "clone"

    def __init__(self, remote: str) -> None:
        super().__init__(is_hosted=False)
        self.remote = remote
        self._next = 0.0

    def expect(self, workspace: str) -> None:
        self._next = 0.0

    def fetch(self, workspace: str, repository: Repository) -> Mapping[str, str | None] | None:
        """Raises OriginUnreachable; until the next time is due nobody is asked again. A tag that is here alone
        is not pushed yet, and in no dispute."""
        if time.monotonic() < self._next:
            return None
        self._next = time.monotonic() + origin.EVERY_SECONDS
        specs = (
            f"+refs/heads/*:refs/remotes/{self.remote}/*",
            f"+refs/labels/*:refs/remotes/{self.remote}/labels/*",
            f"{origin.TAGS}*:{origin.TAGS}*",
        )
        try:
            try:
                origin.fetch(repository, self.remote, *specs)
            except OriginUnreachable as error:
                if not origin.has_moved_tags(error):
                    raise
                _, there = origin.listed(repository, self.remote, [origin.TAGS])
                here = repository.refs()
                return {ref: oid for ref, oid in there.items() if here.get(ref) not in (None, oid)}
        except OriginUnreachable as error:
            error.message = f"{self.remote}: {error.message}"
            raise
        return {}
