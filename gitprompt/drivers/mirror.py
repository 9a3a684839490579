# SPDX-License-Identifier: Apache-2.0
"""Bare mirrors of repositories elsewhere: of any URL or path that plain git can talk to.

It fetches when a webhook says so, and else now and then. What is written here, over HTTP or with a
push, is pushed to the origin first, by compare-and-swap. Branches and labels are as they are there;
a version tag is never moved nor deleted: one that was, there, is told.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from gitprompt.drivers.claims import Stale, claim, disown
from gitprompt.drivers.following import Following
from gitprompt.errors import Conflict, OriginUnreachable
from gitprompt.git import origin
from gitprompt.git.origin import TAGS, Origin
from gitprompt.git.ref_updates import update_refs
from gitprompt.git.refs import ZERO, RefUpdate
from gitprompt.git.repository import Repository

_FOLLOWED = ("refs/heads/", "refs/labels/")
_REJECTED = re.compile(r"^ ! \[(?:remote )?rejected\]", re.MULTILINE)
_OVERTAKEN = re.compile(
    r"\((?:stale info|already exists|fetch first|cannot lock ref|failed to update ref)"
)
_NAMED = 500  # refs that are fetched by their names; more come by their folders


class Mirror(Following):
    """Each workspace with an origin comes from there; others are their own."""

    name = "mirror"

    def __init__(
        self, origins: Mapping[str, Origin], *, seconds: float = origin.EVERY_SECONDS
    ) -> None:
        super().__init__(seconds)
        self._origins = origins

    def workspaces(self) -> Sequence[str]:
        return sorted(self._origins)

    def admit(self, workspace: str) -> None:
        """Any other one is its own."""

    def url(self, workspace: str) -> str:
        """Where it comes from, without secrets."""
        return self._origins[workspace].url

    def claim(self, workspace: str, repository: Repository) -> None:
        if workspace not in self._origins:
            disown(repository)
            return
        claim(repository, self.url(workspace))

    def _bring(self, workspace: str, repository: Repository) -> Mapping[str, str | None] | None:
        if workspace not in self._origins:
            return None
        there = self.origin(workspace)
        try:
            return _follow(repository, there)
        except OriginUnreachable as error:
            error.message = f"{there.url}: {error.message}"
            raise

    def push(self, workspace: str, repository: Repository, updates: Sequence[RefUpdate]) -> None:
        """An answer that was lost is asked for again: what is there counts."""
        if workspace not in self._origins:
            return
        url = self.url(workspace)
        try:
            self.send(workspace, repository, updates)
        except OriginUnreachable as error:
            if _REJECTED.search(error.stderr):
                self.expect(workspace)
                kind = Stale if _OVERTAKEN.search(error.stderr) else Conflict
                raise _refused(kind, error, url) from error
            if not _has(repository, self.origin(workspace), updates):
                error.message = f"{url}: {error.message}"
                raise

    def origin(self, workspace: str) -> Origin:
        """Where it comes from, with what it takes to be let in."""
        return self._origins[workspace]

    def send(self, workspace: str, repository: Repository, updates: Sequence[RefUpdate]) -> None:
        """Raises OriginUnreachable, with what git said of a refusal."""
        url, secret = self.origin(workspace)
        origin.push(repository, url, updates, secret=secret)


def _follow(repository: Repository, there: Origin) -> dict[str, str | None]:
    """Ask for the list of the refs, and fetch only those that differ. The tags that are otherwise there."""
    # What is here before the origin is asked, and not there, was deleted there; what somebody
    # publishes meanwhile reaches the origin first.
    before = dict(repository.refs().items())
    if not before:
        head = origin.begin(repository, there.url, (*_FOLLOWED, TAGS), secret=there.secret)
        _follow_head(repository, head)
        return {}
    head, refs = _listed(repository, there)
    if not refs:
        # Git takes an answer that is cut, or is some proxy's page, for a list with nothing in it.
        raise OriginUnreachable(
            "it says that it has no refs at all, and there are some here: nothing was deleted",
            hint="Look what answers there. To follow one that was emptied, stop the server and move"
            f" {repository.git_dir} away.",
        )
    disputed: dict[str, str | None] = {
        ref: refs.get(ref)
        for ref, oid in before.items()
        if ref.startswith(TAGS) and refs.get(ref) != oid
    }
    news = [ref for ref, oid in refs.items() if before.get(ref) != oid and ref not in disputed]
    if news:
        specs = [f"{'' if ref.startswith(TAGS) else '+'}{ref}:{ref}" for ref in news]
        if len(news) > _NAMED:
            specs = [f"+{folder}*:{folder}*" for folder in _FOLLOWED] + [f"{TAGS}*:{TAGS}*"]
        try:
            origin.fetch(repository, there.url, *specs, secret=there.secret)
        except OriginUnreachable as error:
            if not disputed or not origin.has_moved_tags(error):
                raise
    gone = [
        RefUpdate(ref, oid, ZERO)
        for ref, oid in before.items()
        if ref.startswith(_FOLLOWED) and ref not in refs
    ]
    if gone:
        update_refs(repository, gone, message="gitprompt: deleted at the origin")
    _follow_head(repository, head)
    return disputed


def _follow_head(repository: Repository, head: str | None) -> None:
    if head is not None and repository.line("symbolic-ref", "HEAD") != head:
        repository.git("symbolic-ref", "HEAD", head)


def _has(repository: Repository, there: Origin, updates: Sequence[RefUpdate]) -> bool:
    """Whether the origin is as the updates would have it."""
    try:
        _, refs = _listed(repository, there)
    except OriginUnreachable:
        return False
    return all(refs.get(update.ref, ZERO) == update.new for update in updates)


def _listed(repository: Repository, there: Origin) -> tuple[str | None, dict[str, str]]:
    return origin.listed(repository, there.url, (*_FOLLOWED, TAGS), secret=there.secret)


def _refused(kind: type[Conflict], error: OriginUnreachable, url: str) -> Conflict:
    """A race that is lost, or what the origin's own rules refuse, in its words."""
    said = "; ".join(map(str.strip, origin.words(error)))
    return kind(
        f"{url} refused it" + (f": {said}" if said else ": somebody was faster"),
        hint="Look at what is there now, and try again.",
    )
