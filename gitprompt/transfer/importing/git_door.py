# SPDX-License-Identifier: Apache-2.0
"""The repository of one workspace at a sidecar, as git reaches it: read as a mirror, written with thousands of refs
at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from gitprompt.drivers.mirror import Mirror
from gitprompt.git.origin import listed, with_password
from gitprompt.git.ref_updates import push_many
from gitprompt.git.repository import Repository

_USER = "gitprompt"
_KINDS = ("refs/heads/", "refs/labels/", "refs/tags/prompts/")


class GitDoor:
    def __init__(
        self, server: str, workspace: str, key: str, *, is_here: bool, serve: Callable[[], object]
    ) -> None:
        """`is_here`: see `push_many`. `serve` has the sidecar serve what was pushed, and returns when it does."""
        self._is_here, self._serve = is_here, serve
        self._url, self._workspace, self._key = f"{server}/git/{workspace}.git", workspace, key
        self._mirror = Mirror({workspace: with_password(self._url, _USER, key)})

    def fetch(self, repository: Repository) -> None:
        """Bring all there is into a repository that has nothing. Raises OriginUnreachable."""
        self._mirror.claim(self._workspace, repository)
        self._mirror.expect(self._workspace)
        self._mirror.fetch(self._workspace, repository)

    def push(self, repository: Repository, refs: Sequence[str]) -> None:
        """Raises Conflict, with the server's words, or OriginUnreachable."""
        push_many(
            repository, self._url, refs, user=_USER, password=self._key, is_here=self._is_here
        )
        self._serve()

    def missing(self, repository: Repository, refs: Mapping[str, str]) -> list[str]:
        """Which of the refs, each of which names all that it leads to by its content, are not so there. Raises
        OriginUnreachable."""
        there = self._mirror.origin(self._workspace)
        _, found = listed(repository, there.url, _KINDS, secret=there.secret)
        return [ref for ref, oid in refs.items() if found.get(ref) != oid]
