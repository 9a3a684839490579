# SPDX-License-Identifier: Apache-2.0
"""What is served: prompts found by a selector, rendered, listed and compared.

Everything is read from the index; Git, the network and telemetry are never asked.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import msgspec

from gitprompt.core.diff import Change, compare
from gitprompt.core.document import served
from gitprompt.core.names import is_name
from gitprompt.core.publication import LabelMove
from gitprompt.core.template import MAX_OUTPUT, Budget
from gitprompt.core.variables import is_plain, render
from gitprompt.core.versions import is_version
from gitprompt.errors import BadRequest, Invalid, NotFound
from gitprompt.store.index.reader import (
    DatedMove,
    IndexReader,
    Order,
    PromptFilter,
    PromptSummary,
    StoredVersion,
)

# Of a prompt with sections, what is rendered at once: some two milliseconds.
_MOMENT_STEPS = 4_000
_MOMENT_BYTES = 250_000
_ALL = PromptFilter()
_SMALL = 32_000  # bytes of two documents that are compared at once
_MAX_DOCUMENTS = 2_000
_MAX_DOCUMENT_BYTES = 16_000_000  # as JSON; decoded they are some times that


class Comparison(NamedTuple):
    old: StoredVersion
    new: StoredVersion
    changes: Sequence[Change]


class Renderer(Protocol):
    """Renders what takes its time where that holds nobody; see `server.work.requests`."""

    async def render(
        self,
        workspace: str,
        document: Mapping[str, Any],
        given: Mapping[str, Any],
        placeholders: Mapping[str, Any] | None,
        *,
        max_bytes: int,
    ) -> list[dict[str, Any]]: ...


class Catalog:
    def __init__(
        self, index: IndexReader, renderer: Renderer, *, max_render_bytes: int = MAX_OUTPUT
    ) -> None:
        self._index = index
        self._renderer = renderer
        self._max_render_bytes = max_render_bytes
        self._size = 0
        self._documents: OrderedDict[tuple[str, ...], tuple[dict[str, Any], int]] = OrderedDict()

    # one prompt

    def exists(self, workspace: str, name: str) -> bool:
        return is_name(name) and self._index.latest(workspace, name) is not None

    def find(
        self, workspace: str, name: str, *, version: str | None = None, label: str | None = None
    ) -> StoredVersion:
        """The version that a selector names; without one that of the default label, or the newest, as
        the repository says. Raises BadRequest for both, and NotFound."""
        if version is not None and label is not None:
            raise BadRequest("Give either version or label, not both")
        latest = self._index.latest(workspace, name) if is_name(name) else None
        if latest is None:
            raise NotFound("Prompt not found")
        number: str | None = latest if version is None else version
        if label is None and version is None:
            number = self._default(workspace, name, latest)
        elif label is not None:
            number = self._index.labelled(workspace, name, label)
            if number is None:
                raise NotFound("Label not found")
        assert number is not None
        stored = self._index.version(workspace, name, number) if is_version(number) else None
        if stored is None:
            raise NotFound("Version not found")
        return stored

    def _default(self, workspace: str, name: str, latest: str) -> str:
        settings = self._index.settings(workspace)
        if settings.default_label is None:
            return latest
        number = self._index.labelled(workspace, name, settings.default_label)
        if number is None and not settings.default_newest:
            raise NotFound(
                f"Label {settings.default_label} not found",
                hint="It is the default_label of this repository; give a version or another label.",
            )
        return number or latest

    def document(self, stored: StoredVersion) -> dict[str, Any]:
        """A version's document as clients get it, decoded once. Raises NotFound if Git has lost it."""
        version = stored.version
        key = version.name, version.version, version.blob, version.fragments
        kept = self._documents.get(key)
        document = kept[0] if kept else None
        if document is None:
            if stored.document is None:
                raise NotFound(
                    "Version not found",
                    hint="Git has lost its document; restore the repository from a backup.",
                )
            value = msgspec.json.decode(stored.document)
            document = served(value, name=version.name, version=version.version)
            self._keep(key, document, len(stored.document))
        return document

    def _keep(self, key: tuple[str, ...], document: dict[str, Any], size: int) -> None:
        self._documents[key] = document, size
        self._size += size
        while len(self._documents) > _MAX_DOCUMENTS or self._size > _MAX_DOCUMENT_BYTES:
            _, (_, dropped) = self._documents.popitem(last=False)
            self._size -= dropped

    async def rendered(
        self,
        workspace: str,
        stored: StoredVersion,
        variables: Mapping[str, Any],
        placeholders: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """The document with its messages filled in; what takes more than a moment is done elsewhere, and
        from the beginning. Raises BadRequest for variables or placeholders that are missing, and what
        `render` raises."""
        document = self.document(stored)
        is_short = is_plain(document)
        budget = (
            Budget(self._max_render_bytes)
            if is_short
            else Budget(min(_MOMENT_BYTES, self._max_render_bytes), steps=_MOMENT_STEPS)
        )
        try:
            messages = render(document, variables, placeholders, budget=budget)
        except Invalid:
            if is_short or not budget.is_spent:
                raise
            messages = await self._renderer.render(
                workspace, document, variables, placeholders, max_bytes=self._max_render_bytes
            )
        return {**document, "messages": messages}

    async def diff(self, workspace: str, name: str, old: str, new: str) -> Comparison:
        """What differs between two versions, each given by its number or by a label. Large ones are
        compared in a thread."""
        before, after = (
            self.find(workspace, name, version=selector)
            if is_version(selector)
            else self.find(workspace, name, label=selector)
            for selector in (old, new)
        )
        documents = self.document(before), self.document(after)
        if len(before.document or b"") + len(after.document or b"") < _SMALL:
            return Comparison(before, after, compare(*documents))
        return Comparison(before, after, await asyncio.to_thread(compare, *documents))

    # lists: the rows of a page, and how many there are

    def prompts(
        self,
        workspace: str,
        *,
        wanted: PromptFilter = _ALL,
        order: Order = "name",
        limit: int,
        offset: int = 0,
        after: Sequence[Any] = (),
    ) -> tuple[list[PromptSummary], int]:
        """By name, or those first whose last version is the newest; `after` is of the last row of the page
        before: its name, or `updated_at` and its name."""
        rows = self._index.prompts(
            workspace, wanted=wanted, order=order, limit=limit, offset=offset, after=after
        )
        return rows, self._index.count_prompts(workspace, wanted)

    def folders(self, workspace: str, parent: str = "") -> list[tuple[str, int]]:
        """(name, prompts) of each folder that is directly in another, or at the top."""
        return self._index.folders(workspace, parent)

    def label_names(self, workspace: str) -> list[str]:
        """The names that labels have anywhere in a workspace."""
        return self._index.label_names(workspace)

    def authors(self, workspace: str, prompts: Sequence[PromptSummary]) -> dict[str, str]:
        """Who published the newest version of each prompt, by its name."""
        return self._index.authors(workspace, ((row.name, row.latest) for row in prompts))

    def current_labels(self, workspace: str, name: str) -> list[DatedMove]:
        """How the labels of a prompt came to where they are now, by name."""
        return self._index.current_labels(workspace, name)

    def timeline(
        self, workspace: str, name: str, *, limit: int, offset: int = 0
    ) -> list[DatedMove]:
        """The moves of all labels of a prompt, newest first."""
        return self._index.timeline(workspace, name, limit=limit, offset=offset)

    def count(self, workspace: str) -> int:
        return self._index.count_prompts(workspace)

    def versions(
        self, workspace: str, name: str, *, limit: int, offset: int = 0, after: Sequence[Any] = ()
    ) -> tuple[list[StoredVersion], int]:
        """Newest first; `after` has created_at and precedence of the last one."""
        rows = self._index.versions(workspace, name, limit=limit, offset=offset, after=after)
        return rows, self._index.count_versions(workspace, name)

    def labels(
        self, workspace: str, name: str, *, limit: int, offset: int = 0, after: str = ""
    ) -> tuple[list[tuple[str, str, int]], int]:
        """(label, version, created_at), by label."""
        rows = self._index.labels(workspace, name, limit=limit, offset=offset, after=after)
        return rows, self._index.count_labels(workspace, name)

    def label(self, workspace: str, name: str, label: str) -> tuple[str, int]:
        """The version that a label points at, and since when it exists. Raises NotFound."""
        row = self._index.one_label(workspace, name, label)
        if row is None:
            raise NotFound("Label not found")
        return row

    def history(
        self,
        workspace: str,
        name: str,
        label: str,
        *,
        limit: int,
        offset: int = 0,
        before: int | None = None,
    ) -> tuple[list[tuple[int, LabelMove]], int]:
        """The numbered moves of a label, newest first; `before` is the number of the last one.
        Raises NotFound for a label that never was."""
        total = self._index.count_moves(workspace, name, label)
        if not total:
            raise NotFound("Label not found")
        rows = self._index.moves(workspace, name, label, limit=limit, offset=offset, before=before)
        return rows, total
