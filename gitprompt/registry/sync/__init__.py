# SPDX-License-Identifier: Apache-2.0
"""Git → index: list the refs, load only what changed, apply it in one transaction.

Level-triggered and single-flight: a poke and a poll call `reconcile`, and whoever comes second
finds nothing to do. What results depends on (Git, pins) alone and never on the order of arrival:
where two refs cannot both be served, the pinned one wins, then the older, then byte order.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import ExitStack, contextmanager
from functools import partial
from itertools import chain

from gitprompt.checks import schema
from gitprompt.clock import Clock
from gitprompt.core.publication import Pin, Rejection
from gitprompt.core.settings import Settings
from gitprompt.formats import fast_json
from gitprompt.git.kept import Kept
from gitprompt.git.objects import ObjectReader
from gitprompt.git.refs import Packed, Refs
from gitprompt.registry.sync.application import Application, Chunks
from gitprompt.registry.sync.plan import Known, plan
from gitprompt.registry.sync.source import Outcome as Outcome
from gitprompt.registry.sync.source import Source as Source
from gitprompt.registry.tip import load_settings
from gitprompt.registry.versions import Loaded, load_chunks
from gitprompt.store.database import Database
from gitprompt.store.index.writer import IndexWriter, WorkspaceRow
from gitprompt.store.tables.pins import AnyPin

_HELD = 32_000_000  # bytes of documents that a sync loads before it writes
_CHUNK = 2_000  # versions that are loaded at once, and to one durable commit of pins

Progress = Callable[[int, int], None]


class Sync:
    """All workspaces. Syncs of one come one after another; those of different workspaces wait for
    each other only while one writes the index, and not while it reads Git."""

    def __init__(self, index: IndexWriter, database: Database, clock: Clock) -> None:
        self._index = index
        self._database = database
        self._clock = clock
        self._seen: dict[str, Refs] = {}
        self._disputed: dict[str, Mapping[str, str | None]] = {}
        self._kept = Kept()
        self._locks: dict[str, threading.Lock] = {}
        schema.verdict("prompt")  # compiled now, and not when the first tag waits for it

    def reconcile(
        self,
        source: Source,
        *,
        disputed: Mapping[str, str | None] | None = None,
        progress: Progress | None = None,
    ) -> Outcome:
        """Make the index agree with Git. Idempotent; blocks; raises GitError, Unavailable. `disputed`: the version
        tags that are other objects at the origin, or None where it has deleted them; None: it was not asked."""
        workspace = source.workspace
        with self._locks.setdefault(workspace, threading.Lock()):
            before = self._seen.get(workspace)
            doubts = self._doubts(workspace, disputed)
            if before is not None and not doubts and source.repository.is_unchanged(before):
                return Outcome()
            with self._kept.reader(source.repository) as reader:  # gets ready while refs are read
                refs = source.repository.refs(before=before)
                row, known = self._known(workspace, refs, before, doubts)
                if not known.changed and row is not None and refs.head == (row.branch, row.head):
                    self._seen[workspace] = refs
                    return Outcome()
                settings, broken = load_settings(reader, refs.head[1])
                steps = plan(refs, known, self._pins(workspace), settings)
                with fast_json.undisturbed(len(steps.fresh)):
                    loaded = _ahead(_load(reader, steps.fresh, settings, progress))
                    with self._index.transaction():
                        application = Application(
                            source=source, reader=reader, refs=refs, row=row, settings=settings,
                            was_rejected=known.rejected, index=self._index,
                            disputed=self._disputed.get(workspace, {}),
                            database=self._database, kept=self._kept, now=self._clock(),
                        )  # fmt: skip
                        outcome = application.apply(steps, loaded, broken)
            self._seen[workspace] = refs
            return outcome

    def _doubts(
        self, workspace: str, disputed: Mapping[str, str | None] | None
    ) -> AbstractSet[str]:
        """The tags to hold against their pins again, since the origin says something else of them than before."""
        before = self._disputed.get(workspace)
        if disputed is None or disputed == before:
            return frozenset()
        self._disputed[workspace] = disputed
        with self._index.lock:
            return {*disputed, *(before or {}), *self._index.tampered_refs(workspace)}

    def _known(
        self, workspace: str, refs: Refs, before: Refs | None, doubts: AbstractSet[str]
    ) -> tuple[WorkspaceRow | None, Known]:
        with self._index.lock:
            row = self._index.workspace(workspace)
            if before is None:
                before = Refs({}, Packed(self._index.known_refs(workspace)), "")
            rejected = self._index.rejected_refs(workspace, "refs/").keys()
        changed = refs.changed_since(before) | doubts
        return row, Known(changed, rejected, row.settings if row else None)

    def _pins(self, workspace: str) -> Callable[[str, str], Pin | None] | None:
        if not self._database.read_now(AnyPin(workspace)):
            return None
        return partial(self._database.pin, workspace)

    def refs(self, workspace: str) -> Refs | None:
        """The refs of a workspace as the last reconciliation saw them."""
        return self._seen.get(workspace)

    @property
    def index_is_gone(self) -> bool:
        """Whether the index's file was deleted, or another is in its place."""
        return self._index.is_gone

    def renew_if_damaged(self) -> str:
        """Begin with an empty index if the file is damaged or gone, and say why; no sync runs meanwhile.
        Every workspace is to be reconciled then."""
        with self._all_locks():
            problem = self._index.problem()
            if problem:
                self._index.renew()
                self._seen.clear()
                self._disputed.clear()
            return problem

    def checkpoint(self) -> None:
        """Bring the index's journal into its file; not part of a sync, which need not wait."""
        self._index.checkpoint()

    def close(self) -> None:
        """Wait for what runs, and end the git processes that were kept."""
        with self._all_locks():
            self._kept.close()

    @contextmanager
    def _all_locks(self) -> Iterator[None]:
        with ExitStack() as stack:
            for _, lock in sorted(self._locks.items()):
                stack.enter_context(lock)
            yield


def _load(
    reader: ObjectReader,
    fresh: Sequence[tuple[str, str]],
    settings: Settings,
    progress: Progress | None,
) -> Chunks:
    """What new tags publish, many at once."""
    done = 0
    for items in load_chunks(
        reader, fresh, settings.checks, size=_CHUNK, read=fast_json.read, are_published=True
    ):
        yield items
        done += len(items)
        if progress:
            progress(done, len(fresh))


def _ahead(chunks: Chunks) -> Chunks:
    """The same, with the first of them loaded now, while no other workspace waits; as many as
    memory should hold."""
    held: list[list[Loaded | Rejection]] = []
    size = 0
    for items in chunks:
        held.append(items)
        size += sum(len(item.document) for item in items if isinstance(item, Loaded))
        if size > _HELD:
            break
    return chain(held, chunks)
