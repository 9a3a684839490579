# SPDX-License-Identifier: Apache-2.0
"""The log of one workspace in its store: entries, pieces of packs, and checkpoints. Nothing is ever changed there.

{folder}log/{number:012}                   an entry
{folder}packs/{digest}                     a piece of a pack that is too large for an entry
{folder}checkpoints/{10^12 - number:012}   the newest is the first
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from contextlib import suppress
from typing import NamedTuple

from gitprompt.drivers.objects import ObjectStore
from gitprompt.drivers.ref_log.applied import Position
from gitprompt.drivers.ref_log.entry import (
    Checkpoint,
    Entry,
    checkpoint_of,
    digest,
    entry_of,
)
from gitprompt.errors import OriginUnreachable
from gitprompt.git import origin
from gitprompt.git.refs import ZERO, Refs, RefUpdate

AHEAD = 32  # objects that are asked for at once
_INLINE = 1024 * 1024  # bytes of a pack that an entry has in itself
_PIECE = 4 * 1024 * 1024  # bytes
_NEWEST_FIRST = 10**12


class History(NamedTuple):
    """`place` says where it is, for people; `pool` asks for many objects at once."""

    store: ObjectStore
    folder: str
    place: str
    pool: Executor

    def create(self, number: int, entry: Entry) -> bool:
        """Whether the entry is in the log. Of an answer that was lost the log itself tells."""
        if len(entry.pack) > _INLINE:
            entry = entry._replace(pack=b"", pieces=self.keep(entry.pack))
        return self._is_created(self._key(number), entry.encoded())

    def add(self, checkpoint: Checkpoint) -> None:
        """Whoever was faster has written the same refs and objects."""
        self.store.create(self._checkpoint(checkpoint.number), checkpoint.encoded())

    def keep(self, pack: bytes) -> list[str]:
        """Store a pack in pieces, each under its digest."""
        pieces = [pack[start : start + _PIECE] for start in range(0, len(pack), _PIECE)]
        names = list(map(digest, pieces))
        keys = [self._piece(name) for name in names]
        for name, is_there in zip(
            names, self.pool.map(self._is_created, keys, pieces), strict=True
        ):
            if not is_there:
                raise self._lost_piece(name)
        return names

    def pack(self, names: Sequence[str]) -> bytes:
        """A pack by the digests of its pieces."""
        return b"".join(self.pool.map(self._read_piece, names))

    def checkpoint(self) -> Checkpoint | None:
        """The newest one."""
        number = self._newest()
        data = self.store.get(self._checkpoint(number)) if number else None
        if data is None:
            return None
        found = checkpoint_of(data, f"checkpoint {number} of {self.place}")
        if found.number != number:
            raise OriginUnreachable(
                f"checkpoint {number} of {self.place} says that it is another one",
                hint="Somebody else writes to this place.",
            )
        return found

    def after(self, position: Position) -> Iterator[tuple[Position, Entry]]:
        """The entries after one, whole. Raises OriginUnreachable for what does not follow from it."""
        for data in self._read(position.number):
            where = self._where(position.number + 1)
            entry = entry_of(data, where)
            if entry.before != position.digest or (
                position.number and entry.repository != position.repository
            ):
                raise OriginUnreachable(
                    f"{where} follows another history than the one that is here",
                    hint="Nothing was applied. Look at who writes there; a copy of another bucket has its"
                    " own prefix.",
                )
            if any(map(moves_tag, entry.updates)):
                raise self._moves(position.number + 1)
            if entry.pieces:
                entry = entry._replace(pack=self.pack(entry.pieces))
            position = Position(position.number + 1, digest(data), entry.repository)
            yield position, entry

    def refuse_moves(
        self, position: Position, entry: Entry, here: Refs, made: dict[str, str]
    ) -> None:
        """Refuse an entry that moves a version tag and says that there was none: one that is `here`, or was `made` by
        entries that are not applied yet, to which those of this entry are added."""
        for ref, _, new in entry.updates:
            if ref.startswith(origin.TAGS):
                if (made.get(ref) or here.get(ref) or new) != new:
                    raise self._moves(position.number)
                made[ref] = new

    def _moves(self, number: int) -> OriginUnreachable:
        return OriginUnreachable(
            f"{self._where(number)} moves a version tag, which no gitprompt does",
            hint="Nothing was applied. Look at who writes there.",
        )

    def refuse_gap(self, position: Position) -> int:
        """An absent entry must mean that there is none yet, and not that somebody has deleted it. Returns the number
        of the newest checkpoint."""
        if position.number:
            last = self.store.get(self._key(position.number))
            if last is None or digest(last) != position.digest:
                raise OriginUnreachable(
                    f"{self._where(position.number)} was deleted or changed: the log here is longer than"
                    " the one there",
                    hint="Restore the objects of the store; no lifecycle rule may delete them.",
                )
        later = self.store.first_after(f"{self.folder}log/", self._key(position.number))
        newest = self._newest()
        is_entry = later is not None and _NUMBER.match(later.rpartition("/")[2]) is not None
        is_behind = is_entry or newest > position.number
        if is_behind and self.store.get(self._key(position.number + 1)) is None:
            raise OriginUnreachable(
                f"{self._where(position.number + 1)} is missing, and later ones are there",
                hint="Restore the objects of the store; no lifecycle rule may delete them.",
            )
        return newest

    def _is_created(self, key: str, data: bytes) -> bool:
        try:
            if self.store.create(key, data):
                return True
        except OriginUnreachable:
            with suppress(OriginUnreachable):
                if self.store.get(key) == data:
                    return True
            raise
        return self.store.get(key) == data

    def _read(self, number: int) -> Iterator[bytes]:
        """The entries after a number. Where there is one, more are asked for at once."""
        first = self.store.get(self._key(number + 1))
        while first is not None:
            yield first
            number += 1
            keys = [self._key(number + at) for at in range(1, AHEAD + 1)]
            for data in self.pool.map(self.store.get, keys):
                if data is None:
                    return
                yield data
                number += 1
            first = self.store.get(self._key(number + 1))

    def _read_piece(self, name: str) -> bytes:
        data = self.store.get(self._piece(name))
        if data is None or digest(data) != name:
            raise self._lost_piece(name)
        return data

    def _lost_piece(self, name: str) -> OriginUnreachable:
        return OriginUnreachable(
            f"a piece of a pack of {self.place} was deleted or changed: {name}",
            hint="Restore the objects of the store; no lifecycle rule may delete them.",
        )

    def _newest(self) -> int:
        """The number of the newest checkpoint, 0 if there is none."""
        folder = f"{self.folder}checkpoints/"
        key = self.store.first_after(folder, folder)
        number = key.removeprefix(folder) if key else ""
        return _NEWEST_FIRST - int(number) if _NUMBER.match(number) else 0

    def _checkpoint(self, number: int) -> str:
        return f"{self.folder}checkpoints/{_NEWEST_FIRST - number:012}"

    def _piece(self, name: str) -> str:
        return f"{self.folder}packs/{name}"

    def _key(self, number: int) -> str:
        return f"{self.folder}log/{number:012}"

    def _where(self, number: int) -> str:
        return f"entry {number} of {self.place}"


def moves_tag(update: RefUpdate) -> bool:
    return update.ref.startswith(origin.TAGS) and update.old not in (ZERO, update.new)


_NUMBER = re.compile(r"[0-9]{12}\Z")
