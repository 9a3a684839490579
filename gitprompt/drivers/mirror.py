# SPDX-License-Identifier: Apache-2.0
"""A bare mirror of a repository elsewhere: of any URL or path that plain git can talk to.

It fetches when a webhook says so, and else once a minute. What is written here, over HTTP or with a
push, is pushed to the origin first, by compare-and-swap. Branches and labels are as they are there;
a version tag is never moved nor deleted.
"""

from __future__ import annotations

import re
import time
from collections.abc import Sequence

from gitprompt.errors import Conflict, OriginUnreachable, SetupError
from gitprompt.git import origin
from gitprompt.git.ref_updates import update_refs
from gitprompt.git.refs import ZERO, RefUpdate
from gitprompt.git.repository import Repository

MARK = "gitprompt.origin"  # in the configuration of a mirror: the URL of what it follows
_TAGS = "refs/tags/prompts/"
_FOLLOWED = ("refs/heads/", "refs/labels/")
_REJECTED = re.compile(r"^ ! \[(?:remote )?rejected\]", re.MULTILINE)


class Mirror:
    """`workspace` is the one that comes from the origin; others are their own."""

    name = "mirror"
    is_mirror = True

    def __init__(self, url: str, *, workspace: str) -> None:
        self._url, self._secret = origin.parse_origin(url)
        self._workspace = workspace
        self._next = 0.0
        self._problem: OriginUnreachable | None = None

    def claim(self, repository: Repository) -> None:
        """Mark a repository as the mirror of this origin. Raises SetupError for one that has a history
        of its own, or of another origin: to follow this one would delete it."""
        mark = repository.line("config", "--get", MARK)
        if mark == self._url:
            return
        if mark or any(ref.startswith((*_FOLLOWED, _TAGS)) for ref, _ in repository.refs().items()):
            what = f"mirrors {mark}" if mark else "is a repository of its own"
            raise SetupError(
                f"{repository.git_dir} {what}; as a mirror of {self._url} it would lose what is in it",
                hint="Choose another folder with --data. If it is a copy of the same repository:"
                f" git -C {repository.git_dir} config {MARK} {self._url}",
            )
        repository.git("config", "--local", MARK, self._url)

    def expect(self, workspace: str) -> None:
        self._next = 0.0

    def fetch(self, workspace: str, repository: Repository) -> None:
        """Raises OriginUnreachable; until the next time is due nobody is asked again."""
        if workspace != self._workspace or time.monotonic() < self._next:
            return
        self._next = time.monotonic() + origin.EVERY_SECONDS
        try:
            self._bring(repository)
        except OriginUnreachable as error:
            error.message = f"{self._url}: {error.message}"
            self._problem = error
            raise
        self._problem = None

    def _bring(self, repository: Repository) -> None:
        # What is here before the origin is asked, and not there, was deleted there; what somebody
        # publishes meanwhile reaches the origin first.
        before = dict(repository.refs().items())
        head, there = self._listed(repository)
        specs = [f"+{folder}*:{folder}*" for folder in _FOLLOWED] + [f"{_TAGS}*:{_TAGS}*"]
        moved = [ref for ref, oid in there.items() if ref.startswith(_TAGS)
                 and before.get(ref, oid) != oid]  # fmt: skip
        if any(before.get(ref) != oid for ref, oid in there.items()):
            try:
                origin.fetch(repository, self._url, *specs, secret=self._secret)
            except OriginUnreachable as error:
                if not moved or not origin.has_moved_tags(error):
                    raise
        gone = [
            RefUpdate(ref, oid, ZERO)
            for ref, oid in before.items()
            if ref.startswith(_FOLLOWED) and ref not in there
        ]
        if gone:
            update_refs(repository, gone, message="gitprompt: deleted at the origin")
        if head is not None and repository.line("symbolic-ref", "HEAD") != head:
            repository.git("symbolic-ref", "HEAD", head)
        if moved:
            raise OriginUnreachable(
                f"it has other objects under version tags that are here already: {moved[0]}",
                hint="What was first published goes on being served.",
            )

    def _listed(self, repository: Repository) -> tuple[str | None, dict[str, str]]:
        """The branch that the origin's HEAD names, and the object of each ref that is followed."""
        patterns = ["HEAD", *(f"{folder}*" for folder in (*_FOLLOWED, _TAGS))]
        answer = origin.ask(
            repository, "ls-remote", "--symref", self._url, *patterns, secret=self._secret
        )
        head: str | None = None
        refs: dict[str, str] = {}
        for line in answer.decode("utf-8", "surrogateescape").splitlines():
            value, _, name = line.partition("\t")
            if name == "HEAD" and value.startswith("ref: refs/heads/"):
                head = value.removeprefix("ref: ")
            elif name.startswith((*_FOLLOWED, _TAGS)) and not name.endswith("^{}"):
                refs[name] = value
        return head, refs

    def push(self, workspace: str, repository: Repository, updates: Sequence[RefUpdate]) -> None:
        """An answer that was lost is asked for again: what is there counts."""
        if workspace != self._workspace:
            return
        leases, specs = origin.push_arguments(updates)
        try:
            origin.ask(
                repository, "push", "--atomic", *leases, self._url, *specs, secret=self._secret
            )
        except OriginUnreachable as error:
            if _REJECTED.search(error.stderr):
                self.expect(workspace)
                raise _refused(error, self._url) from error
            if not self._has(repository, updates):
                error.message = f"{self._url}: {error.message}"
                raise

    def _has(self, repository: Repository, updates: Sequence[RefUpdate]) -> bool:
        """Whether the origin is as the updates would have it."""
        try:
            _, there = self._listed(repository)
        except OriginUnreachable:
            return False
        return all(there.get(update.ref, ZERO) == update.new for update in updates)

    def check(self, workspace: str, repository: Repository) -> None:
        """How the last fetch went: a look at the health starts no process, and asks nobody."""
        if workspace == self._workspace and self._problem is not None:
            raise self._problem


def _refused(error: OriginUnreachable, url: str) -> Conflict:
    """A race that is lost, or what the origin's own rules refuse, in its words."""
    said = "; ".join(map(str.strip, origin.words(error)))
    return Conflict(
        f"{url} refused it" + (f": {said}" if said else ": somebody was faster"),
        hint="Look at what is there now, and try again.",
    )
