# SPDX-License-Identifier: Apache-2.0
"""Pushes thousands of refs over HTTP, with libgit2: git itself compares each with each, which for 10,000 new tags
takes four times as long as all else together."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from gitprompt.errors import Conflict, OriginUnreachable
from gitprompt.git.repository import Repository

_SILENCE = 120_000  # milliseconds; while it judges, a server sends a sign of life every few seconds


@cache
def _callbacks_class() -> type[Any]:
    import pygit2

    class Callbacks(pygit2.RemoteCallbacks):
        """Gives the password to one server alone, and hears what it says of each ref."""

        def __init__(self, url: str, user: str, password: str) -> None:
            super().__init__()
            self._url, self._user, self._password = url, user, password
            self._was_asked = False
            self.refused: list[tuple[str, str]] = []
            self.said: list[str] = []

        def credentials(self, url: str, username_from_url: str | None, allowed_types: Any) -> Any:
            if self._was_asked or not url.startswith(self._url):
                raise pygit2.Passthrough  # another server, or the password is wrong
            self._was_asked = True
            return pygit2.UserPass(self._user, self._password)

        def push_update_reference(self, refname: str, message: str | None) -> None:
            if message is not None:
                self.refused.append((refname, message))

        def sideband_progress(self, string: str) -> None:
            self.said.append(string)

    return Callbacks


def push_many(
    repository: Repository,
    url: str,
    refs: Sequence[str],
    *,
    user: str,
    password: str,
    is_here: bool,
) -> None:
    """Make refs of a repository at a URL of HTTP what they are here; a branch or label only goes forward. `is_here`:
    the server is this machine, and no proxy is on the way. Raises Conflict, with the server's words, if it refuses
    one, and OriginUnreachable."""
    import pygit2

    pygit2.settings.server_connect_timeout = 20_000
    pygit2.settings.server_timeout = _SILENCE
    callbacks = _callbacks_class()(url, user, password)
    there = pygit2.Repository(repository.git_dir)
    remote = there.remotes.create_anonymous(url)
    try:
        remote.push(
            [f"{ref}:{ref}" for ref in refs], callbacks=callbacks, proxy=None if is_here else True
        )
    except pygit2.GitError as error:
        raise OriginUnreachable(f"{url}: {error}") from error
    if callbacks.refused:
        ref, why = callbacks.refused[0]
        words = [line.strip() for line in "".join(callbacks.said).splitlines()]
        told = [line for line in words if line and "deltas" not in line and "objects" not in line]
        raise Conflict(f"{ref}: {why}", hint="\n  ".join(told[:20]))
