# SPDX-License-Identifier: Apache-2.0
"""Makes objects at GitHub, and moves refs there, by its API: where a token may not push, or a push of git would have
to list a hundred thousand tags. Each object has the name that it has here, or nothing is moved.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from gitprompt.drivers.github.api import said, told
from gitprompt.errors import OriginUnreachable
from gitprompt.git.objects import ObjectReader
from gitprompt.git.refs import ZERO, RefUpdate
from gitprompt.git.repository import Repository

if TYPE_CHECKING:
    from github.Repository import Repository as Remote


class NotMoved(OriginUnreachable):
    """GitHub does not make the updates: somebody was faster, or a rule forbids them."""


class Maker:
    """For one repository there."""

    def __init__(self, remote: Remote) -> None:
        self._remote = remote
        self._id = ""

    def push(self, repository: Repository, updates: Sequence[RefUpdate]) -> None:
        """Make what is new, then all updates or none, each by compare-and-swap. Raises OriginUnreachable, also if
        an update is refused (NotMoved)."""
        with told(), repository.reader() as reader:
            for kind, oid in _new(repository, updates):
                self._make(repository, reader, kind, oid)
            self._move(updates)

    def _move(self, updates: Sequence[RefUpdate]) -> None:
        if not self._id:
            self._id = self._remote.node_id  # asks once
        wanted = [
            {"name": ref, "beforeOid": old, "afterOid": new, "force": old != ZERO and new != ZERO}
            for ref, old, new in updates
        ]
        from github import GithubException

        try:
            self._remote.requester.graphql_named_mutation(
                "updateRefs", {"repositoryId": self._id, "refUpdates": wanted}, "clientMutationId"
            )
        except GithubException as error:
            if isinstance(error.data, dict) and error.data.get("errors"):
                raise NotMoved(f"GitHub answered {said(error)}") from None
            raise

    def _make(self, repository: Repository, reader: ObjectReader, kind: str, oid: str) -> None:
        if kind == "tree":
            made = self._tree(repository, oid)
        else:
            item = reader.get(oid)
            assert item is not None, "rev-list has just named it"
            if kind == "blob":
                content = base64.b64encode(item.data).decode()
                made = self._sent("blobs", {"content": content, "encoding": "base64"})
            elif kind == "commit":
                made = self._sent("commits", _commit(item.data))
            else:
                made = self._sent("tags", _tag(item.data))
        if made != oid:
            raise OriginUnreachable(
                f"GitHub made another {kind} than ours: {made}, not {oid}",
                hint="Nothing was moved. Set GITHUB_WRITES=push, with a token that may push.",
            )

    def _tree(self, repository: Repository, oid: str) -> str:
        entries = []
        for line in repository.git("ls-tree", "-z", oid).split(b"\0"):
            if line:
                about, _, path = line.partition(b"\t")
                mode, kind, sha = about.decode().split()
                entries.append({"path": path.decode(), "mode": mode, "type": kind, "sha": sha})
        return self._sent("trees", {"tree": entries})

    def _sent(self, kind: str, body: dict[str, Any]) -> str:
        _, answer = self._remote.requester.requestJsonAndCheck(
            "POST", f"{self._remote.url}/git/{kind}", input=body
        )
        return str(answer["sha"])


def _new(repository: Repository, updates: Sequence[RefUpdate]) -> Iterator[tuple[str, str]]:
    """Kind and name of each object that is reachable from new values and not from old ones, nor from the branch,
    what others lead to first."""
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
    for kind, oids in found.items():
        yield from ((kind, oid) for oid in reversed(oids))


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
