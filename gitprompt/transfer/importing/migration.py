# SPDX-License-Identifier: Apache-2.0
"""The whole way of another system's records: read twice where their order matters, made ours, sent, and told."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import IO, Any, NamedTuple

from gitprompt.errors import GitpromptError, SetupError
from gitprompt.store.tables.trace_ids import key_of
from gitprompt.transfer.foreign.reading import Broken, FoundRecord, records
from gitprompt.transfer.foreign.records import (
    ForeignApi,
    ForeignVersion,
    Importer,
    Item,
    Loss,
    Losses,
    Record,
    is_deep,
)
from gitprompt.transfer.importing.as_git import Labels, Prompts
from gitprompt.transfer.importing.journal import Journal
from gitprompt.transfer.importing.sending import Telemetry

Step = Callable[[str, int, int], None]


class Migrated(NamedTuple):
    """What came of it. `counts`: for each kind how many are new, and how many were there. `broken`: why the input
    ends before its end; what came before is in."""

    records: int
    counts: Mapping[str, tuple[int, int]]
    losses: Sequence[Loss]
    broken: str
    kept: int


class Rejects:
    """A file, for its owner alone, with what was not taken as it is, as it was: a line of JSON each. `path` None: for
    a dry run, which only counts."""

    def __init__(self, path: str | None, *, is_more: bool = False) -> None:
        self._path, self._is_more = path, is_more
        self._file: IO[str] | None = None
        self.number = 0

    def keep(self, why: str, record: Mapping[str, Any]) -> None:
        self.number += 1
        if self._path is None:
            return
        if self._file is None:
            self._file = self._opened(self._path)
        line = json.dumps({"reason": why, "record": record}, ensure_ascii=False, default=str)
        self._file.write(line.encode("utf-8", "replace").decode() + "\n")

    def close(self) -> None:
        if self._file is not None:
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()

    def _opened(self, path: str) -> IO[str]:
        flags = os.O_WRONLY | os.O_CREAT | (os.O_APPEND if self._is_more else os.O_TRUNC)
        try:
            return os.fdopen(os.open(path, flags, 0o600), "w", encoding="utf-8")
        except OSError as error:
            raise SetupError(
                f"{path} cannot be written: {error.strerror}",
                hint="Choose another file: --rejected FILE",
            ) from error


class Migration:
    """One run of one importer."""

    def __init__(
        self, importer: Importer, telemetry: Telemetry, prompts: Prompts, losses: Losses, rejects: Rejects,
        starts: dict[str, int], *, step: Step,
    ) -> None:  # fmt: skip
        self._importer = importer
        self.telemetry, self._prompts = telemetry, prompts
        self._losses, self._rejects = losses, rejects
        self._starts = starts
        self._step = step
        self._versions: list[ForeignVersion] = []
        self._records = 0
        self._kinds: dict[str, str] = {}

    def of_files(self, paths: Sequence[str], labels: Labels, *, is_dry: bool) -> Migrated:
        """Every record of the files. Prompts and traces come before what names them, in whichever file they are."""
        total, broken = self._look(paths)
        if not total and not broken:
            broken = "there are no records in the input"
        ordered = sorted(paths, key=lambda path: _ORDER.get(self._kinds.get(path, ""), 2))
        try:
            for path in ordered:
                with suppress(Broken):  # told already, by the look at it
                    for found in records(path):
                        self._take(found.value, f"{os.path.basename(path)}:{found.number}")
                        if self._records % 500 == 0:
                            self._step("importing", self._records, total)
            self.telemetry.flush()
        except GitpromptError as error:
            broken = _with_hint(error)
        return self._done(labels, broken, is_dry=is_dry)

    def of_pages(
        self, api: ForeignApi, journal: Journal, labels: Labels, *, is_dry: bool
    ) -> Migrated:
        """Every record of a live API, after those that the journal has; it notes each page once it is stored."""
        pages = self._importer.pages(api, journal.done)
        broken = ""
        for field, why in self._importer.unasked:
            self._losses.add(field, why, "")
        try:
            for page in pages:
                for at, record in enumerate(page.records, 1):
                    self._take(record, f"{page.stage} {page.mark}: {at}")
                for why, example in page.lost:
                    self._losses.add(page.stage, why, example)
                self.telemetry.flush()
                if page.mark is not None:
                    journal.note(page.stage, page.mark)
                self._step(f"reading {page.stage}", self._records, 0)
        except GitpromptError as error:
            broken = _with_hint(error)
        except (
            TypeError,
            ValueError,
            AttributeError,
            LookupError,
            OverflowError,
            RecursionError,
        ) as error:
            broken = f"{self._importer.house} answers in another shape than is known ({type(error).__name__})"
        done = self._done(labels, broken, is_dry=is_dry)
        if not done.broken:
            journal.forget()
        return done

    def _look(self, paths: Sequence[str]) -> tuple[int, str]:
        """How many records there are, of which kind each file is, when each trace began, and where one breaks off."""
        total, broken = 0, []
        roots: dict[str, int] = {}
        for path in paths:
            try:
                for found in records(path):
                    total += 1
                    self._look_at(found, roots)
                    if total % 1_000 == 0:
                        self._step("looking", total, 0)
            except Broken as error:
                broken.append(str(error))
        self._starts.update(roots)
        return total, "; ".join(broken)

    def _look_at(self, found: FoundRecord, roots: dict[str, int]) -> None:
        if not isinstance(found.value, dict):
            return
        kind = self._importer.kind_of(found.value)
        if kind is None:
            return
        self._kinds.setdefault(found.path, kind)
        began = self._importer.began(kind, found.value)
        if began is not None:
            key = key_of(began[0])
            times = roots if began[2] else self._starts
            times[key] = min(times.get(key, began[1]), began[1])

    def _take(self, record: Any, place: str) -> None:
        self._records += 1
        kind = self._importer.kind_of(record) if isinstance(record, dict) else None
        if kind is None:
            why = f"nothing of {self._importer.house}'s that is known"
            kept = record if isinstance(record, dict) else {"value": record}
            self._losses.refuse("record", why, kept, place)
            return

        if is_deep(record):
            self._losses.refuse(kind, "nested deeper than anything that is sent on", {}, place)
            return

        def read(one: Record) -> Iterator[Item]:
            return self._importer.read(kind, one, self._losses)

        for item in self._losses.each(kind, [record], read, place):
            self._give(item)

    def _give(self, item: Item) -> None:
        if isinstance(item, ForeignVersion):
            self._versions.append(item)
        else:
            self.telemetry.add(item)

    def _done(self, labels: Labels, broken: str, *, is_dry: bool) -> Migrated:
        written = None
        try:
            for item in self._importer.finish(self._losses, is_whole=not broken):
                self._give(item)
            self.telemetry.flush()
            if self._versions:
                written = self._prompts.write(
                    self._versions, labels, is_dry=is_dry, step=self._step
                )
        except GitpromptError as error:
            broken = broken or _with_hint(error)
        counts = {kind: (new, there) for kind, (new, there) in self.telemetry.counts.items()}
        if written is not None:
            counts["prompt versions"] = written.versions, written.versions_there
            counts["labels"] = written.labels, written.labels_there
        return Migrated(self._records, counts, list(self._losses), broken, self._rejects.number)


_ORDER = {"prompt": 0, "prompt commit": 0, "trace": 1}  # by kind; what else there is comes after


def _with_hint(error: GitpromptError) -> str:
    return f"{error.message}. {error.hint}".strip(". ") + "."


def kinds_in(
    paths: Sequence[str], importers: Mapping[str, Callable[[], Importer]]
) -> Iterator[str]:
    """Of which systems the first records of the files are, for a hint."""
    for path in paths:
        try:
            first = next(iter(records(path)), None)
        except Broken:
            continue
        if first is not None and isinstance(first.value, dict):
            yield from (house for house, make in importers.items() if make().kind_of(first.value))
