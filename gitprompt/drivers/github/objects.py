# SPDX-License-Identifier: Apache-2.0
"""Makes objects at GitHub, and moves refs there, by its API: where a token may not push, or a push of git would have
to list a hundred thousand tags. Each object has the name that it has here, or nothing is moved.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from graphlib import TopologicalSorter
from typing import TYPE_CHECKING, Any

from gitprompt.drivers.github.api import said, told
from gitprompt.errors import OriginUnreachable
from gitprompt.git.refs import ZERO, RefUpdate
from gitprompt.git.repository import Repository

if TYPE_CHECKING:
    from github.Repository import Repository as Remote


# Of GraphQL's errors, those that say nothing of the refs.
_OTHER_REASONS = {"RATE_LIMITED", "INSUFFICIENT_SCOPES", "NOT_FOUND", "FORBIDDEN"}


class NotMoved(OriginUnreachable):
    """GitHub does not make the updates: somebody was faster, or a rule forbids them."""


class Maker:
    """For one repository there."""

    def __init__(self, remote: Remote) -> None:
        self._remote = remote

    def push(self, repository: Repository, updates: Sequence[RefUpdate]) -> None:
        """Make what is new, then all updates or none, each by compare-and-swap. Raises OriginUnreachable, also if
        an update is refused (NotMoved)."""
        try:
            made = list(_new(repository, updates))
            with told():
                for kind, body, oid in made:
                    self._make(kind, body, oid)
                self._move(updates)
        except (UnicodeError, KeyError, ValueError, OverflowError) as error:
            raise OriginUnreachable(
                f"the API of GitHub takes no object such as these: {error}",
                hint="It takes UTF-8 and usual times alone. Set GITHUB_WRITES=push, with a token that may push.",
            ) from error

    def _move(self, updates: Sequence[RefUpdate]) -> None:
        wanted = [
            {"name": ref, "beforeOid": old, "afterOid": new, "force": old != ZERO and new != ZERO}
            for ref, old, new in updates
        ]
        from github import GithubException

        try:
            self._remote.requester.graphql_named_mutation(
                "updateRefs",
                {"repositoryId": self._remote.node_id, "refUpdates": wanted},
                "clientMutationId",
            )
        except GithubException as error:
            errors = error.data.get("errors") if isinstance(error.data, dict) else None
            if errors and not {one.get("type") for one in errors} & _OTHER_REASONS:
                raise NotMoved(f"GitHub answered {said(error)}") from None
            raise

    def _make(self, kind: str, body: dict[str, Any], oid: str) -> None:
        _, answer = self._remote.requester.requestJsonAndCheck(
            "POST", f"{self._remote.url}/git/{kind}s", input=body
        )
        if answer["sha"] != oid:
            raise OriginUnreachable(
                f"GitHub made another {kind} than ours: {answer['sha']}, not {oid}",
                hint="Nothing was moved. Set GITHUB_WRITES=push, with a token that may push.",
            )


def _new(
    repository: Repository, updates: Sequence[RefUpdate]
) -> Iterator[tuple[str, dict[str, Any], str]]:
    """Kind, body and name of each object that is reachable from new values and not from old ones, nor from the
    branch: whatever others lead to comes first."""
    known = [update.old for update in updates if update.old != ZERO]
    tip = repository.refs().head[1]
    made = [update.new for update in updates if update.new != ZERO]
    if not made:
        return
    lines = "\n".join([*made, *(f"^{oid}" for oid in (*known, tip) if oid)]).encode()
    listed = repository.git("rev-list", "--objects", "--stdin", stdin=lines).splitlines()
    names = b"".join(line.split(b" ", 1)[0] + b"\n" for line in listed)
    kinds = repository.git("cat-file", "--batch-check=%(objecttype) %(objectname)", stdin=names)
    found: dict[str, list[str]] = {"blob": [], "tree": [], "commit": [], "tag": []}
    for line in kinds.decode().splitlines():
        kind, _, oid = line.partition(" ")
        found[kind].append(oid)
    for oid in found["blob"]:
        content = base64.b64encode(repository.git("cat-file", "blob", oid)).decode()
        yield "blob", {"content": content, "encoding": "base64"}, oid
    for oid, entries in _inner_first({oid: _entries(repository, oid) for oid in found["tree"]}):
        yield "tree", {"tree": entries}, oid
    for oid in reversed(found["commit"]):
        yield "commit", _commit(repository.git("cat-file", "commit", oid)), oid
    for oid in reversed(found["tag"]):
        yield "tag", _tag(repository.git("cat-file", "tag", oid)), oid


_Entries = list[dict[str, str]]


def _entries(repository: Repository, tree: str) -> _Entries:
    entries = []
    for line in repository.git("ls-tree", "-z", tree).split(b"\0"):
        if line:
            about, _, path = line.partition(b"\t")
            mode, kind, sha = about.decode().split()
            entries.append({"path": path.decode(), "mode": mode, "type": kind, "sha": sha})
    return entries


def _inner_first(trees: Mapping[str, _Entries]) -> Iterator[tuple[str, _Entries]]:
    """Each tree after those in it."""
    order = TopologicalSorter(
        {
            oid: [one["sha"] for one in entries if one["sha"] in trees]
            for oid, entries in trees.items()
        }
    )
    return ((oid, trees[oid]) for oid in order.static_order())


def _commit(data: bytes) -> dict[str, Any]:
    headers, message = _parted(data)
    body: dict[str, Any] = {
        "message": message,
        "tree": headers["tree"][0],
        "parents": headers.get("parent", []),
        "author": _person(headers["author"][0]),
        "committer": _person(headers["committer"][0]),
    }
    if "gpgsig" in headers:
        body["signature"] = headers["gpgsig"][0]
    return body


def _tag(data: bytes) -> dict[str, Any]:
    headers, message = _parted(data)
    return {
        "tag": headers["tag"][0],
        "message": message,
        "object": headers["object"][0],
        "type": headers["type"][0],
        "tagger": _person(headers["tagger"][0]),
    }


def _parted(data: bytes) -> tuple[dict[str, list[str]], str]:
    """The headers of a commit or tag, those of several lines joined, and its message."""
    head, _, message = data.partition(b"\n\n")
    headers: dict[str, list[str]] = {}
    last = ""
    for line in head.decode().split("\n"):
        if line.startswith(" "):
            headers[last][-1] += "\n" + line[1:]
            continue
        last, _, value = line.partition(" ")
        headers.setdefault(last, []).append(value)
    return headers, message.decode()


def _person(text: str) -> dict[str, str]:
    """`Ada <ada@example.com> 1700000000 +0000` as the API takes it."""
    name, _, rest = text.partition(" <")
    email, _, when = rest.rpartition("> ")
    seconds, _, zone = when.partition(" ")
    offset = datetime.strptime(zone, "%z").tzinfo
    at = datetime.fromtimestamp(int(seconds), offset or UTC)
    return {"name": name, "email": email, "date": at.isoformat()}
