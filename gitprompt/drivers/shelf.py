# SPDX-License-Identifier: Apache-2.0
"""What is served, as files of JSON in a bucket, for readers without Git. The truth is the log beside them; they follow it.

{prefix}prompts/{name}/{version}.json    the document; of other workspaces than `default`
{prefix}labels/{name}/{label}.json       {"name", "label", "version_tag", "position"}
                                         below {prefix}workspaces/{workspace}/
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from threading import Event
from typing import Any, NamedTuple, Protocol

from gitprompt.core.names import DEFAULT_WORKSPACE
from gitprompt.git.repository import Repository

_TRIES = 5  # of a label that others move at the same time


class Served(NamedTuple):
    """Of one workspace: all versions, the version of each label (None: the label was removed), and how to read a
    document, in JSON; None if it is lost. Whoever has it closes it."""

    versions: Sequence[tuple[str, str]]
    labels: Mapping[tuple[str, str], str | None]
    document: Callable[[str, str], bytes | None]
    close: Callable[[], None] = lambda: None


class Unshown:
    """What a driver does of which the readers have Git, and which does nothing in the background."""

    def position(self, repository: Repository) -> int:
        return 0

    def show(self, workspace: str, position: int, served: Callable[[], Served]) -> bool:
        return True  # whoever wants to read it has Git

    def stop_showing(self) -> None:
        """Nothing is shown."""

    def close(self) -> None:
        """It does nothing in the background."""


class Shelves(Protocol):
    """A store of which files can be replaced. Methods raise OriginUnreachable."""

    def get(self, key: str) -> bytes | None: ...

    def create(self, key: str, data: bytes) -> bool: ...

    def listed(self, folder: str) -> Sequence[tuple[str, int]]:
        """All keys of a folder, and of those in it, and when each was written, in Unix seconds."""

    def get_tagged(self, key: str) -> tuple[bytes, str] | None:
        """The bytes, and what changes with them."""

    def replace(self, key: str, data: bytes, tag: str) -> bool:
        """False if somebody else has changed it since it had this tag."""


class Shelf:
    def __init__(self, store: Shelves, prefix: str) -> None:
        self._store = store
        self._prefix = prefix
        self._versions: dict[str, set[tuple[str, str]]] = {}
        self._labels: dict[str, dict[tuple[str, str], str | None]] = {}
        self._is_stopped = Event()

    def stop(self) -> None:
        """Whoever shows stops after the file that is being written."""
        self._is_stopped.set()

    def show(self, workspace: str, position: int, served: Served) -> bool:
        """Bring the files of a workspace up to date with what was served at a position of its log, or later; returns
        whether they are. A version is written once, a label by whoever knows the later position."""
        folder = self._folder(workspace)
        if workspace not in self._versions:
            known = self._files(f"{folder}prompts/")
            self._versions[workspace] = {(name, version) for name, version, _, _ in known}
        versions, labels = self._versions[workspace], self._labels.setdefault(workspace, {})
        for name, version in served.versions:
            if (name, version) in versions:
                continue
            if self._is_stopped.is_set():
                return False
            document = served.document(name, version)
            if document is not None:
                self._store.create(f"{folder}prompts/{name}/{version}.json", document)
                versions.add((name, version))
        is_settled = True
        for key, now in served.labels.items():
            if labels.get(key, "") == now:
                continue
            if self._is_stopped.is_set():
                return False
            if self._is_moved(f"{folder}labels/{key[0]}/{key[1]}.json", key, now, position):
                labels[key] = now
            else:
                is_settled = False
        return is_settled

    def documents(
        self, workspace: str, show: Callable[[str, int, int], None]
    ) -> Iterator[tuple[str, str, bytes, int]]:
        """Name, version and bytes of each, and when it was written. `show` gets what is read, and of how many."""
        files = self._files(f"{self._folder(workspace)}prompts/")
        for at, (name, version, key, when) in enumerate(files):
            show("reading documents", at, len(files))
            yield name, version, self._store.get(key) or b"", when

    def labels(self, workspace: str) -> Iterator[tuple[str, str, bytes, int]]:
        """Name of the prompt, name of the label, and bytes of each, and when it was written."""
        for name, label, key, when in self._files(f"{self._folder(workspace)}labels/"):
            yield name, label, self._store.get(key) or b"", when

    def _files(self, folder: str) -> list[tuple[str, str, str, int]]:
        """Of each `{name}/{last}.json` the name, what is last, its key, and when it was written."""
        found = []
        for key, when in sorted(self._store.listed(folder)):
            if key.endswith(".json"):
                name, _, last = key.removeprefix(folder).removesuffix(".json").rpartition("/")
                found.append((name, last, key, when))
        return found

    def _is_moved(
        self, key: str, label: tuple[str, str], version: str | None, position: int
    ) -> bool:
        """Whether the file says this, or what a later position had; False if another node says something else of the
        same position, so that it has to be looked at again."""
        fields = {"name": label[0], "label": label[1], "version_tag": version, "position": position}
        data = json.dumps(fields, ensure_ascii=False).encode()
        for _ in range(_TRIES):
            there = self._store.get_tagged(key)
            if there is None:
                if version is None or self._store.create(key, data):
                    return True
            else:
                said = _label_fields(there[0])
                if said["version_tag"] == version or said["position"] > position:
                    return True
                if said["position"] == position:
                    return False
                if self._store.replace(key, data, there[1]):
                    return True
        return False

    def _folder(self, workspace: str) -> str:
        if workspace == DEFAULT_WORKSPACE:
            return self._prefix
        return f"{self._prefix}workspaces/{workspace}/"


def _label_fields(data: bytes) -> Mapping[str, Any]:
    """What a file of a label says; one that cannot be read is older than any."""
    try:
        there = json.loads(data)
        if isinstance(there["position"], int) and isinstance(there["version_tag"], str | None):
            return {"position": there["position"], "version_tag": there["version_tag"]}
    except (ValueError, TypeError, KeyError):
        pass
    return {"position": -1, "version_tag": ""}
